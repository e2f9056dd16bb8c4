"""Which light clips nothing is trained on."""

from collections import Counter

import pytest

from slowfast.apps.held_out import groups_of, hold_out


@pytest.mark.parametrize(
    ("form", "group"),
    [
        ("{label}/{label}_g{group:03d}_{clip:02d}.mp4", "g{group:03d}"),
        ("{label}/v_{label}_G{group:02d}_c{clip:02d}.avi", "g{group:02d}"),
        ("{label}/person{group:02d}_{label}_d{clip}.avi", "person{group:02d}"),
        ("{label}/film{group}/{clip}.mp4", "{label}/film{group}"),
        ("{label}/April_{group:02d}_brush_hair_u_nm_np1_ba_goo_{clip}.avi",
         "{label}/April_{group:02d}_brush_hair_u_nm_np1_ba_goo"),
    ],
)  # fmt: skip
def test_groups_stand_in_names(form, group):
    places = [
        {"label": label, "group": number, "clip": clip} for label in "ab" for number in range(7) for clip in (1, 2)
    ]
    assert groups_of([form.format(**place) for place in places]) == [group.format(**place) for place in places]


def test_names_that_tell_nothing_are_taken_one_by_one():
    for form in ("{}/clip {}.mp4", "{}/{}.mp4", "{}/{}_x.mp4"):
        names = [form.format(label, number) for label in "ab" for number in range(20)]
        assert groups_of(names) == names


def test_no_group_is_on_both_sides_and_every_class_gives_its_share():
    names = [f"{label}/{label}_g{group:02d}_{clip}.mp4" for label in "abc" for group in range(20) for clip in range(3)]
    labels = ["abc".index(name[0]) for name in names]
    held_N, groups = hold_out(names, labels)
    assert not {g for g, held in zip(groups, held_N) if held} & {g for g, held in zip(groups, held_N) if not held}
    assert Counter(label for label, held in zip(labels, held_N) if held) == {0: 9, 1: 9, 2: 9}
    assert hold_out(names, labels)[0] == held_N and hold_out(names[::-1], labels[::-1])[0] == held_N[::-1]


def test_small_classes_keep_their_clips():
    names = [f"a/{number}.mp4" for number in range(3)] + [f"b/{number}.mp4" for number in range(20)]
    held_N, _ = hold_out(names, [0] * 3 + [1] * 20)
    assert not any(held_N[:3]) and sum(held_N) == 3
