"""What doctor finds on other people's computers, and that nothing it meets can stop it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from mm_edge import doctor
from mm_edge.doctor import RECEIVE_BUFFER_BYTES, Finding, Status

ORIN_NANO = """
< PARAM TYPE=FILE NAME=CPU_ONLINE >
< POWER_MODEL ID=0 NAME=15W >
CPU_ONLINE CORE_0 1
< POWER_MODEL ID=1 NAME=25W >
< POWER_MODEL ID=2 NAME=MAXN_SUPER >
"""
AGX_ORIN = "< POWER_MODEL ID=0 NAME=MAXN >\n< POWER_MODEL ID=1 NAME=MODE_15W >\n"


def written(root: Path, files: dict[str, str | bytes]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return root


def jetson(root: Path, modes: str = AGX_ORIN, mode: str = "pmode:0001\n") -> Path:
    return written(
        root,
        {
            "proc/device-tree/model": "NVIDIA Jetson AGX Orin Developer Kit\0",
            "etc/nv_tegra_release": "# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic\n",
            "etc/nvpmodel.conf": modes,
            "var/lib/nvpmodel/status": mode,
        },
    )


def found(root: Path) -> dict[str, Finding]:
    return {finding.name: finding for finding in doctor.computer(root)}


def test_a_jetson_is_named_with_its_release_and_power_mode(tmp_path: Path) -> None:
    findings = found(jetson(tmp_path))

    assert findings["machine"].found.startswith("NVIDIA Jetson AGX Orin Developer Kit, ")
    assert findings["Jetson"] == Finding("Jetson", Status.OK, "L4T 36.4.3")
    assert findings["power mode"].found == "MODE_15W"


def test_a_jetson_that_is_held_back_is_told_how_to_run_free(tmp_path: Path) -> None:
    power = found(jetson(tmp_path))["power mode"]

    assert power.status == Status.NOTE
    assert "sudo nvpmodel -m 0 " in power.fix


def test_the_way_to_run_free_is_the_board_s_own(tmp_path: Path) -> None:
    power = found(jetson(tmp_path, ORIN_NANO))["power mode"]

    assert power.found == "25W"
    assert "sudo nvpmodel -m 2 " in power.fix


@pytest.mark.parametrize(("modes", "mode"), [(AGX_ORIN, "pmode:0000\n"), (ORIN_NANO, "pmode:0002\n")])
def test_a_jetson_at_full_power_has_nothing_to_fix(modes: str, mode: str, tmp_path: Path) -> None:
    power = found(jetson(tmp_path, modes, mode))["power mode"]

    assert power.status == Status.OK
    assert power.found.startswith("MAXN")
    assert power.fix == ""


def test_a_fan_mode_behind_the_power_mode_is_passed_over(tmp_path: Path) -> None:
    assert found(jetson(tmp_path, mode="pmode:0001 fmode:fanNull"))["power mode"].found == "MODE_15W"


def test_a_power_mode_without_a_name_has_its_number(tmp_path: Path) -> None:
    assert found(jetson(tmp_path, modes=""))["power mode"].found == "mode 1"


@pytest.mark.parametrize("mode", ["", "pmode:", "pmode:x1", "pmode:-1", "pmode:²"])
def test_a_power_mode_that_cannot_be_read_is_unknown(mode: str, tmp_path: Path) -> None:
    assert found(jetson(tmp_path, mode=mode))["power mode"].found == "unknown"


def test_a_release_in_unknown_words_is_quoted(tmp_path: Path) -> None:
    written(jetson(tmp_path), {"etc/nv_tegra_release": "R99 beta\nmore"})

    assert found(tmp_path)["Jetson"].found == "R99 beta"


def test_another_computer_is_no_jetson(tmp_path: Path) -> None:
    written(tmp_path, {"proc/cpuinfo": "processor\t: 0\nmodel name\t: Swift Processor 9\n"})

    findings = found(tmp_path)

    assert findings["machine"].found.startswith("Swift Processor 9, ")
    assert findings["Jetson"].found == "not one"


def test_files_that_are_noise_do_not_stop_it(tmp_path: Path) -> None:
    noise = bytes(range(256))
    names = ["proc/device-tree/model", "etc/nv_tegra_release", "etc/nvpmodel.conf", "var/lib/nvpmodel/status"]
    written(tmp_path, dict.fromkeys(names, noise))

    assert [finding.status for finding in doctor.computer(tmp_path)] == [Status.OK, Status.OK, Status.NOTE]


@pytest.mark.parametrize(
    ("most", "status", "told"),
    [
        (str(RECEIVE_BUFFER_BYTES), Status.OK, ""),
        ("212992", Status.NOTE, f"sudo sysctl -w net.core.rmem_max={RECEIVE_BUFFER_BYTES}"),
        ("nonsense", Status.NOTE, ""),
    ],
)
def test_a_small_receive_buffer_is_told_how_to_grow(most: str, status: Status, told: str, tmp_path: Path) -> None:
    (finding,) = doctor.receive_buffer(written(tmp_path, {"proc/sys/net/core/rmem_max": most}))

    assert finding.status == status
    assert finding.fix.startswith(told)


@pytest.mark.parametrize(
    ("got", "status"),
    [
        ("SCHED_RR 11", Status.OK),
        ("SCHED_RR 5, as SCHED_RR 11 is not permitted (CAP_SYS_NICE or rtprio)", Status.NOTE),
        ("ordinary: not permitted (CAP_SYS_NICE or rtprio)", Status.NOTE),
    ],
)
def test_who_may_not_be_urgent_is_told_how(got: str, status: Status, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mm_edge.compute.priority.request_realtime", lambda _: got)
    (finding,) = doctor.scheduling()

    assert (finding.status, finding.found) == (status, got)
    assert ("rtprio" in finding.fix) == (status == Status.NOTE)


def test_doctor_itself_does_not_become_urgent() -> None:
    doctor.scheduling()

    assert os.sched_getparam(0).sched_priority == 0


@pytest.mark.parametrize("domain", ["robot", "-1", "233", "1.5"])
def test_a_wrong_domain_is_something_to_fix(domain: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROS_DOMAIN_ID", domain)
    finding = doctor.dds()[-1]

    assert finding.status == Status.MISSING
    assert repr(domain) in finding.found
    assert finding.fix


def test_a_check_that_fails_is_a_finding_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> list[Finding]:
        raise ZeroDivisionError("no cores")

    monkeypatch.setattr(doctor, "CHECKS", (broken, doctor.python))
    first, second = doctor.examine()

    assert first == Finding("broken", Status.NOTE, "could not be examined: no cores")
    assert second.name == "Python"


def test_here_everything_needed_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    fine = doctor.run(as_json=True)
    findings = json.loads(capsys.readouterr().out)

    assert fine
    assert {"Python", "DDS", "engine torch", "weights", "machine"} <= {finding["name"] for finding in findings}
    assert {finding["status"] for finding in findings} <= {"ok", "note"}


def test_what_is_missing_is_said_with_its_fix(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = Finding("weights", Status.MISSING, "none in [folder]", "mm-edge train")
    monkeypatch.setattr(doctor, "CHECKS", (lambda: [gone],))

    fine = doctor.run()
    shown = capsys.readouterr().out

    assert not fine
    assert all(part in shown for part in ("weights", "missing", "none in [folder]", "mm-edge train"))
