"""What a result was made from, known by content: digests, records beside results, differences in words."""

from slowfast.parents.content import (
    ClipDigests,
    Input,
    input_of_clips,
    input_of_file,
    input_of_folder,
    input_of_rows,
    whole_file_digests,
)
from slowfast.parents.record import MadeOf, differences, read_record, versions, write_record

__all__ = [
    "ClipDigests",
    "Input",
    "MadeOf",
    "differences",
    "input_of_clips",
    "input_of_file",
    "input_of_folder",
    "input_of_rows",
    "read_record",
    "versions",
    "whole_file_digests",
    "write_record",
]
