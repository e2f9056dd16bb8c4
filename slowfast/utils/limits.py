"""What a machine or container allows too little of, in a sentence that names what helps."""

import errno

NO_HANDLES = (errno.EMFILE, errno.ENFILE)
_HANDLE_WORDS = ("too many open files", "items of ancdata")
_SHARED_WORDS = ("shared memory", "/dev/shm", "/torch_")
_FEWER = "or lower DATA_LOADER.NUM_WORKERS (0 needs none)"


def explain_limit(error: BaseException, *, starting: bool = False) -> str:
    """Return what to do about too few file handles or processes or too little shared memory; empty for another error.

    Args:
        error: what was raised.
        starting: it was raised while processes were started, so that a place without a name is shared memory.
    """
    number, text = getattr(error, "errno", None), str(error)
    words = text.lower()
    reason = next((line.strip() for line in reversed(text.splitlines()) if line.strip()), type(error).__name__)[:200]
    if number in NO_HANDLES or any(word in words for word in _HANDLE_WORDS):
        return f"too few file handles: raise the limit ('ulimit -n 4096' before the command), {_FEWER}"
    if isinstance(error, BlockingIOError) and starting:
        return f"no further process may be started: raise the limit ('ulimit -u', or the container's pids), {_FEWER}"
    unnamed = starting and isinstance(error, OSError) and not error.filename
    if unnamed or any(word in words for word in _SHARED_WORDS):
        return (
            f"shared memory (/dev/shm) is too small, full or not writable ({reason}): start the container with a larger"
            f" --shm-size (or --ipc=host), free it, {_FEWER}"
        )
    return ""
