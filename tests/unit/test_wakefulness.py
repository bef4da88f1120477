import asyncio
import os
import sys
from datetime import timedelta
from pathlib import Path

from noctule.core.clock import ManualClock, SystemClock
from noctule.core.sessions.lifecycle import Status
from noctule.core.sessions.suspensions import Suspension, lost
from noctule.sessions.workers.keep_awake import NightWatch
from noctule.sessions.workers.wakefulness import Inhibitor, Wakefulness, find_inhibitor
from tests.support.scratch import scratch_database
from tests.support.stored_records import a_session, a_turn

CLOCK = SystemClock()


def program(root: Path, place: str, script: str = "exec cat\n") -> None:
    path = root / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}")
    path.chmod(0o755)


def test_programs_are_taken_from_fixed_places(tmp_path, monkeypatch) -> None:
    """One of that name on PATH is nobody's; what is missing is said to be missing."""
    program(tmp_path, "planted/systemd-inhibit")
    program(tmp_path, "planted/caffeinate")
    monkeypatch.setenv("PATH", str(tmp_path / "planted"))
    assert find_inhibitor(tmp_path, "linux") is None
    assert find_inhibitor(tmp_path, "darwin") is None
    program(tmp_path, "bin/systemd-inhibit")
    assert find_inhibitor(tmp_path, "linux") is None  # there is nothing to hold it with
    program(tmp_path, "usr/bin/cat")
    program(tmp_path, "usr/bin/caffeinate")
    linux, mac = find_inhibitor(tmp_path, "linux"), find_inhibitor(tmp_path, "darwin")
    assert linux is not None
    assert linux.command[:3] == (
        f"{tmp_path}/bin/systemd-inhibit",
        "--what=idle:sleep",
        "--mode=block",
    )
    assert linux.command[-1] == f"{tmp_path}/usr/bin/cat"
    assert mac is not None
    assert mac.command == (f"{tmp_path}/usr/bin/caffeinate", "-i", "-w", str(os.getpid()))


async def test_it_holds_while_somebody_needs_it(tmp_path) -> None:
    """Started once however many need it, ended when the last one is done."""
    log = tmp_path / "log"
    program(tmp_path, "holds", f"echo began >> {log}\nexec cat\n")
    awake = Wakefulness(Inhibitor("holds", (str(tmp_path / "holds"),)), CLOCK)
    await awake.keep()
    assert not log.exists()
    with awake.needed():
        await awake.keep()
        with awake.needed():
            await awake.keep()
        await awake.keep()
        async with asyncio.timeout(30):
            while not log.exists() or not log.read_text():
                await CLOCK.sleep(0.02)
        process = awake._process
        assert process is not None
        assert process.returncode is None
    await awake.keep()
    assert process.returncode is not None
    assert log.read_text() == "began\n"


async def test_its_end_is_that_of_this_process(tmp_path) -> None:
    """Whoever is killed holds nothing: what it started reads the end of its input."""
    program(tmp_path, "holds", "exec cat\n")
    holder = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "import asyncio, sys\n"
        "from noctule.core.clock import SystemClock\n"
        "from noctule.sessions.workers.wakefulness import Inhibitor, Wakefulness\n"
        "async def main():\n"
        "    awake = Wakefulness(Inhibitor('holds', (sys.argv[1],)), SystemClock())\n"
        "    with awake.needed():\n"
        "        await awake.keep()\n"
        "        print(awake._process.pid, flush=True)\n"
        "        await SystemClock().sleep(60)\n"
        "asyncio.run(main())\n",
        str(tmp_path / "holds"),
        stdout=asyncio.subprocess.PIPE,
    )
    assert holder.stdout is not None
    async with asyncio.timeout(60):
        pid = int(await holder.stdout.readline())
        holder.kill()
        await holder.wait()
        while _lives(pid):
            await CLOCK.sleep(0.05)


def _lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


async def test_a_program_that_does_not_work_is_no_failure(tmp_path) -> None:
    """Missing, not executable, or ended at once: nothing is raised, and it is tried again later."""
    log = tmp_path / "log"
    program(tmp_path, "fails", f"echo tried >> {log}\necho 'no bus' >&2\nexit 1\n")
    clock = ManualClock()
    for command in (str(tmp_path / "fails"), str(tmp_path / "missing")):
        awake = Wakefulness(Inhibitor("x", (command,)), clock)
        with awake.needed():
            for _ in range(20):
                await awake.keep()
                if awake._process is not None:
                    await awake._process.wait()
        await awake.keep()
    assert log.read_text() == "tried\n"
    nothing = Wakefulness(None, clock)
    with nothing.needed():
        await nothing.keep()


async def test_a_machine_that_slept_over_work_says_so() -> None:
    """With its hours, once, and only where something would have gone on."""
    clock, database, told = ManualClock(), scratch_database(), []
    watch = NightWatch(database, Wakefulness(None, clock), clock, told.append)
    await watch.look()
    clock.suspend(7200)
    await watch.look()
    assert told == []
    async with database.work() as work:
        await work.sessions.add(a_session())
        await work.turns.add(a_turn(status=Status.RUNNING))
        await work.commit()
    await watch.look()
    clock.suspend(30)
    await watch.look()
    begun = clock.now()
    clock.suspend(5400)
    await watch.look()
    await watch.look()
    clock.jump(86_400)
    await watch.look()
    assert [(one.began_at, one.lasted) for one in told] == [(begun, timedelta(hours=1.5))]
    async with database.read() as work:
        assert await work.suspensions.since(begun) == told
        assert await work.suspensions.since(clock.now()) == []


def test_the_clock_of_this_machine_knows_what_it_slept() -> None:
    """Two looks in a row differ by nothing worth telling."""
    before = CLOCK.suspended_s()
    assert abs(CLOCK.suspended_s() - before) < 30


def test_what_was_lost_is_added_up() -> None:
    """An hour and a half hour."""
    start = ManualClock().now()
    naps = [
        Suspension(str(hours), "m", start, start + timedelta(hours=hours)) for hours in (1, 0.5)
    ]
    assert lost(naps) == timedelta(hours=1.5)
