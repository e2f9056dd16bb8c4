import subprocess
import sys

import pytest

from slowfast.apps.doctor import Finding, examine


def test_a_working_installation_has_no_problem_with_packages_and_decoders():
    findings = {finding.topic: finding for finding in examine()}
    assert findings["torch"].state == findings["decoder pyav"].state == "ok"
    assert findings["decoder pyav"].text == "8 frames decoded"


def test_a_missing_data_root_is_a_problem_with_its_fix(repo, tmp_path):
    command = [sys.executable, repo / "tools/doctor.py", "--cfg", repo / "exp_adapt_bn/mvit_b32_k600/config.yaml"]
    command += ["DATA.PATH_PREFIX", tmp_path / "nowhere"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=120, cwd=tmp_path)
    assert done.returncode == 2
    assert "[problem] data root" in done.stdout and "DATASET.md" in done.stdout


def test_a_driver_that_does_not_fit_is_a_problem(monkeypatch):
    monkeypatch.setattr("slowfast.apps.doctor.find_gpu", lambda: (False, "The NVIDIA driver is too old"))
    finding = {finding.topic: finding for finding in examine()}["gpu"]
    assert (finding.state, finding.text) == ("problem", "The NVIDIA driver is too old") and "driver" in finding.fix


def test_a_finding_is_one_line_with_its_fix():
    assert Finding("disk", "problem", "full", "free some").line() == "[problem] disk: full -> free some"


def test_a_decoder_that_is_installed_but_fails_is_named(monkeypatch):
    pytest.importorskip("decord")

    def broken(path, length):
        raise OSError("libavcodec is missing")

    assert {finding.topic: finding for finding in examine()}["decoder decord"].state == "ok"
    monkeypatch.setattr("slowfast.video.decord._decode", broken)
    finding = {finding.topic: finding for finding in examine()}["decoder decord"]
    assert finding.state == "note" and "libavcodec is missing" in finding.text and finding.fix
