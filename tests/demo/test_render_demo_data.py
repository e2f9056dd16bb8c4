import subprocess
import sys


def call(repo, *arguments, cwd):
    command = [sys.executable, str(repo / "tools/render_demo_data.py"), *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120)


def test_help_has_an_example_and_works_from_anywhere(repo, tmp_path):
    done = call(repo, "--help", cwd=tmp_path)
    assert done.returncode == 0 and "example:" in done.stdout and "--other-motions" in done.stdout


def test_wrong_usage_and_foreign_folder_exit_2(repo, tmp_path):
    assert call(repo, cwd=tmp_path).returncode == 2
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes.txt").write_text("keep")
    done = call(repo, "--output", "mine", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ") and "not empty" in done.stderr and "Traceback" not in done.stderr
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["notes.txt"]
