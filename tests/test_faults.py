"""Disks that fill up or fail, inputs that change, memory that runs out: at every stage of a run.

Whatever happens, there is one sentence with a hint and the documented exit code, nothing appears
under the output's name, what was there stays, no part file is left, and once the fault is gone
``--resume`` ends with the bytes of a run that nothing happened to.
"""

import contextlib
import errno
import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

import remover
from remover import compose, files, job, journal, light, pipeline
from remover.errors import (
    DeviceError,
    ExitCode,
    InputError,
    OutputError,
    RemoverError,
    VerifyError,
    WeightsError,
)
from remover.segment import propagate
from remover.video import mux, packets
from remover.workplace import folder_for

resource = pytest.importorskip("resource")

REFUSALS = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS, errno.EIO)
"""What a system says that does not take what is written."""

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parent.parent)}

OLD = b"what was there before"


@pytest.fixture(scope="module")
def clip(make_clip):
    return make_clip("clip.mkv", frames=10, height=32, width=48, cut_at=6, audio=True)


def clean(source: Path, out: Path, **options):
    given = {"box": ["4,10,8,8", "26,10,8,8@6"], "tracker": "none", **options}
    return remover.clean(source, out, **given)


@pytest.fixture(scope="module")
def truth(clip, tmp_path_factory) -> bytes:
    """What a run that nothing happens to writes."""
    out = tmp_path_factory.mktemp("truth") / "out.mkv"
    clean(clip.path, out)
    return out.read_bytes()


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def check_words(error: RemoverError, kind: type[RemoverError]) -> None:
    assert type(error) is kind, repr(error)
    assert error.message.strip()
    assert "\n" not in error.message
    assert not error.message.endswith(".")
    assert ".part" not in error.message
    assert error.hint


@contextlib.contextmanager
def failing(kind: type[RemoverError], out: Path) -> Iterator[None]:
    """The block is a run to ``out`` that fails as it should, with ``kind``."""
    there = out.read_bytes() if out.exists() else None
    beside = names(out.parent)
    with pytest.raises(RemoverError) as raised:
        yield
    check_words(raised.value, kind)
    assert (out.read_bytes() if out.exists() else None) == there
    assert names(out.parent) - beside <= {folder_for(out, None).name}
    assert raised.value.code == kind.code


def break_in(patched, owner, name: str, error: BaseException, when=lambda *_: True, after=0):
    """Let ``owner.name`` fail from call ``after`` on of those that ``when`` picks."""
    real, count = getattr(owner, name), itertools.count()

    def broken(*given, **named):
        if when(*given) and next(count) >= after:
            raise error
        return real(*given, **named)

    patched.setattr(owner, name, broken)


def paired(places, causes) -> list[tuple]:
    """Every place with a cause: every cause once or more, not each with each."""
    causes = itertools.islice(itertools.cycle(causes), max(len(places), len(causes)))
    return list(zip(itertools.cycle(places), causes, strict=False))


def refusal(number: int) -> OSError:
    return OSError(number, os.strerror(number))


def of_library(number: int) -> Exception:
    """The media library's error with a number of the system's."""
    try:
        av.error.err_check(-number)
    except av.FFmpegError as error:
        return error
    raise AssertionError


def called(name: str):
    """Picks calls whose first argument is the path ``name``, or a file of that name."""
    return lambda place, *_: Path(getattr(place, "name", place)).name == name


WRITES = {
    "owner": (files, "write_all", called("owner"), 0),
    "key": (files, "write_whole", called(journal.FACTS), 0),
    "plan": (files, "write_whole", called(journal.FACTS), 1),
    "publishing": (files, "write_whole", called(journal.FACTS), 2),
    "masks": (files, "write_all", called("masks.bin"), 4),
    "masks saved": (files, "write_whole", called("masks.npz"), 0),
    "motion": (files, "write_all", called(journal.FILLS), 1),
    "first hole": (files, "write_all", called(journal.FILLS), 2),
    "end of a window": (files, "write_all", called(journal.FILLS), 8),
    "second window": (files, "write_all", called(journal.FILLS), 10),
}
"""Every write of the work folder: what does it, which calls are it, and how many go well."""


@pytest.mark.parametrize(("stage", "number"), paired(WRITES, REFUSALS))
def test_the_work_folder_cannot_be_written(stage, number, clip, truth, tmp_path, monkeypatch):
    out = tmp_path / "out.mkv"
    owner, name, when, after = WRITES[stage]
    with monkeypatch.context() as patched:
        break_in(patched, owner, name, refusal(number), when, after)
        with failing(OutputError, out):
            clean(clip.path, out)
    report = clean(clip.path, out, resume=True)
    assert report.resumed_frames == {"second window": 6, "publishing": 10}.get(stage, 0)
    assert out.read_bytes() == truth
    assert names(tmp_path) == {"out.mkv"}


@pytest.mark.parametrize(
    ("name", "number"), paired(("__enter__", "_encode", "close", "_encode", "close"), REFUSALS)
)
def test_the_muxer_is_refused(name, number, clip, truth, tmp_path, monkeypatch):
    out = tmp_path / "out.mkv"
    out.write_bytes(OLD)
    inner = {"__enter__": "_open", "close": "_encode"}.get(name, name)
    after = {"_encode": 5, "close": 10}.get(name, 0)
    with monkeypatch.context() as patched:
        break_in(patched, mux.Writer, inner, of_library(number), after=after)
        with failing(OutputError, out):
            clean(clip.path, out, overwrite=True)
    clean(clip.path, out, resume=True, overwrite=True)
    assert out.read_bytes() == truth


@pytest.mark.parametrize("number", REFUSALS[1:4:2])
def test_publishing_is_refused(number, clip, truth, tmp_path, monkeypatch):
    out = tmp_path / "out.mkv"
    with monkeypatch.context() as patched:
        for name in ("link", "rename"):
            break_in(patched, os, name, refusal(number))
        with failing(OutputError, out):
            clean(clip.path, out)
    clean(clip.path, out, resume=True)
    assert out.read_bytes() == truth
    out.write_bytes(OLD)
    with monkeypatch.context() as patched:
        break_in(patched, os, "replace", refusal(number), lambda _, new: Path(new) == out)
        with failing(OutputError, out):
            clean(clip.path, out, overwrite=True)
    clean(clip.path, out, resume=True, overwrite=True)
    assert out.read_bytes() == truth
    assert names(tmp_path) == {"out.mkv"}


def test_what_cannot_be_deleted_is_no_error(clip, truth, tmp_path, monkeypatch):
    out = tmp_path / "out.mkv"
    told = []

    class Listening(remover.progress.Silent):
        def warn(self, message: str) -> None:
            told.append(message)

    with monkeypatch.context() as patched:
        break_in(patched, shutil, "rmtree", refusal(errno.EACCES))
        clean(clip.path, out, progress=Listening())
    assert out.read_bytes() == truth
    assert any("cannot be deleted" in message for message in told)


def test_the_mask_cache_does_not_matter(clip, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    outs = [tmp_path / f"{count}.mkv" for count in range(3)]
    with monkeypatch.context() as patched:
        break_in(patched, shutil, "copyfile", refusal(errno.ENOSPC), after=1)
        clean(clip.path, outs[0])
    assert not list((tmp_path / "cache").rglob("*.part"))
    clean(clip.path, outs[1])
    with monkeypatch.context() as patched:
        break_in(patched, shutil, "copyfile", refusal(errno.ENOSPC), after=1)
        clean(clip.path, outs[2])
    assert len({out.read_bytes() for out in outs}) == 1


@pytest.mark.parametrize(
    ("name", "is_cut"), [("masks.bin", False), ("masks.npz", True), ("sha256.json", True)]
)
def test_a_damaged_cache_does_not_matter(name, is_cut, clip, truth, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    clean(clip.path, tmp_path / "a.mkv")
    (entry,) = (tmp_path / "cache").rglob(name)
    content = bytearray(entry.read_bytes())
    content[len(content) // 2] ^= 0x55
    entry.write_bytes(b"" if is_cut else content)
    clean(clip.path, tmp_path / "b.mkv")
    assert (tmp_path / "b.mkv").read_bytes() == truth


@contextlib.contextmanager
def no_file_over(num_bytes: int) -> Iterator[None]:
    """Let the system refuse to make any file longer."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_no_file_may_grow(clip, truth, tmp_path):
    """The system itself refuses, wherever a limit happens to be met."""
    out = tmp_path / "out.mkv"
    limits = [0, 700, *range(3000, len(truth), max(1500, len(truth) // 4)), 2 * len(truth)]
    done = []
    for limit in limits:
        with no_file_over(limit):
            try:
                clean(clip.path, out, resume=True)
            except RemoverError as error:
                check_words(error, OutputError)
                assert not out.exists()
                assert names(tmp_path) <= {folder_for(out, None).name}
                continue
        assert out.read_bytes() == truth
        out.unlink()
        done.append(limit)
    assert limits[0] not in done
    assert limits[-1] in done


@pytest.fixture(scope="module")
def small_disk(tmp_path_factory):
    """A file system of one mebibyte, where this machine lets us mount one."""
    place = tmp_path_factory.mktemp("disk")
    mounting = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(place)]
    try:
        is_there = subprocess.run(mounting, capture_output=True, check=False).returncode == 0
    except OSError:
        is_there = False
    if not is_there:
        pytest.skip("no file system can be mounted here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


@pytest.fixture
def room_on(small_disk):
    """A function that leaves some bytes of the small disk free."""
    for path in small_disk.iterdir():
        files.remove(path)
    ballast = small_disk / "ballast"

    def leave(num_bytes: int) -> Path:
        ballast.unlink(missing_ok=True)
        facts = os.statvfs(small_disk)
        with ballast.open("wb") as file:
            file.write(bytes(max(0, facts.f_bavail * facts.f_frsize - num_bytes)))
        return small_disk

    return leave


def test_a_disk_fills_up_at_any_moment(clip, truth, room_on):
    page = resource.getpagesize()
    fulls = 0
    for pages in (0, 1, 3, 4, 6, 8, 10):
        disk = room_on(pages * page)
        out = disk / "out.mkv"
        try:
            clean(clip.path, out, resume=True)
        except RemoverError as error:
            check_words(error, OutputError)
            fulls += "full" in error.message or "no space" in error.message.lower()
            assert names(disk) <= {"ballast", folder_for(out, None).name}
            room_on(1 << 20)
            clean(clip.path, out, resume=True)
        assert out.read_bytes() == truth
        assert names(disk) == {"ballast", "out.mkv"}
        out.unlink()
    assert fulls >= 3


def test_the_command_on_a_full_disk(clip, truth, room_on):
    disk = room_on(5 * resource.getpagesize())
    command = [sys.executable, "-m", "remover", "clean", str(clip.path), "--tracker", "none"]
    command += ["--box", "4,10,8,8", "--box", "26,10,8,8@6", "--progress", "none", "--resume"]
    command += ["-o", str(disk / "out.mkv")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=ENVIRONMENT)
    assert done.returncode == ExitCode.OUTPUT
    assert done.stderr.count("error: ") == 1
    assert "\nhint: " in done.stderr
    assert "Traceback" not in done.stderr
    room_on(1 << 20)
    assert (
        subprocess.run(command, capture_output=True, check=False, env=ENVIRONMENT).returncode == 0
    )
    assert (disk / "out.mkv").read_bytes() == truth


@pytest.mark.parametrize(("stage", "number"), paired(("write", "publish"), REFUSALS))
def test_pictures_cannot_be_written(stage, number, pictures, tmp_path, monkeypatch):
    folder = tmp_path / "out"
    folder.mkdir()
    for place in (folder / "note.txt", *(folder / f"{count:03}.png" for count in range(5))):
        place.write_bytes(OLD)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with monkeypatch.context() as patched:
        if stage == "write":
            is_picture = lambda path, *_: path.suffix == ".png"  # noqa: E731
            break_in(patched, Path, "write_bytes", refusal(number), is_picture, after=3)
        else:
            is_last = lambda _, new: Path(new).name == "003.png"  # noqa: E731
            break_in(patched, os, "replace", refusal(number), is_last)
        with pytest.raises(OutputError) as raised:
            clean(pictures, folder / "%03d.png", overwrite=True)
    check_words(raised.value, OutputError)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert names(tmp_path) <= {"out", "in", ".out.%03d.png.remover"}
    clean(pictures, folder / "%03d.png", overwrite=True, resume=True)
    clean(pictures, tmp_path / "true")
    assert (folder / "003.png").read_bytes() == (tmp_path / "true" / "003.png").read_bytes()
    assert names(tmp_path) == {"out", "in", "true"}
    assert len(names(folder)) == 10 + 1


@pytest.fixture
def pictures(clip, tmp_path) -> Path:
    """The clip as a folder of pictures."""
    folder = tmp_path / "in"
    folder.mkdir()
    with av.open(str(clip.path)) as container:
        for number, frame in enumerate(container.decode(video=0)):
            cv2.imwrite(str(folder / f"{number:03}.png"), frame.to_ndarray(format="bgr24"))
    return folder


def test_files_beside_the_output_go_back_with_it(clip, tmp_path, monkeypatch):
    out, matte, compare = (tmp_path / f"{name}.mkv" for name in ("out", "matte", "compare"))
    matte.write_bytes(OLD)
    out.write_bytes(OLD)
    with monkeypatch.context() as patched:
        break_in(patched, os, "replace", refusal(errno.EIO), lambda _, new: Path(new) == out)
        with failing(OutputError, out):
            clean(clip.path, out, overwrite=True, matte=matte, compare=compare)
    assert matte.read_bytes() == OLD
    assert names(tmp_path) == {"out.mkv", "matte.mkv", ".out.mkv.remover"}
    clean(clip.path, out, overwrite=True, resume=True, matte=matte, compare=compare)
    assert names(tmp_path) == {"out.mkv", "matte.mkv", "compare.mkv"}


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit(143)])
@pytest.mark.parametrize("is_there", [False, True])
def test_stopped_in_the_moment_of_publishing(stop, is_there, clip, truth, tmp_path, monkeypatch):
    out = tmp_path / "out.mkv"
    if is_there:
        out.write_bytes(OLD)
    name = "replace" if is_there else "link"
    real = getattr(os, name)

    def stopped(old, new, **named):
        real(old, new, **named)
        if Path(new) == out:
            raise stop

    with monkeypatch.context() as patched:
        patched.setattr(os, name, stopped)
        with pytest.raises((KeyboardInterrupt, SystemExit)):
            clean(clip.path, out, overwrite=is_there)
    assert (out.read_bytes() if out.exists() else None) == (OLD if is_there else None)
    assert names(tmp_path) == {".out.mkv.remover"} | ({"out.mkv"} if is_there else set())
    clean(clip.path, out, resume=True, overwrite=is_there)
    assert out.read_bytes() == truth
    assert names(tmp_path) == {"out.mkv"}


# The input changes.


def delete(path: Path) -> None:
    path.unlink()


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def replace_alike(path: Path) -> None:
    """Another file of the same size and time."""
    facts = path.stat()
    other = path.with_name("other")
    other.write_bytes(path.read_bytes()[::-1])
    os.utime(other, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    other.rename(path)


CHANGES = (delete, truncate, append, replace_alike)

MOMENTS = {
    "key": (job, "_scan", 0),
    "scan": (job, "thumbnail", 3),
    "tracking": (job, "make_masks", 0),
    "motion": (light, "survey", 1),
    "fill": (compose, "put_in", 8),
    "verify": (pipeline, "verify_output", 0),
    "end": (pipeline, "verify_companions", 0),
}
"""Stages: what is called in one, and how often before it happens."""


def meanwhile(patched, moment: str, change) -> None:
    """Let ``change`` happen at a moment of the next run."""
    owner, name, after = MOMENTS[moment]
    real, count = getattr(owner, name), itertools.count()

    def changing(*given, **named):
        if next(count) == after:
            change()
        return real(*given, **named)

    patched.setattr(owner, name, changing)


@pytest.mark.parametrize(("moment", "change"), paired(MOMENTS, CHANGES))
def test_the_input_changes(moment, change, clip, truth, tmp_path, monkeypatch):
    source, out = tmp_path / "in.mkv", tmp_path / "out" / "out.mkv"
    shutil.copyfile(clip.path, source)
    out.parent.mkdir()
    with monkeypatch.context() as patched:
        meanwhile(patched, moment, lambda: change(source))
        with failing(InputError, out):
            clean(source, out)
    shutil.copyfile(clip.path, source)
    clean(source, out, resume=True)
    assert out.read_bytes() == truth
    assert names(out.parent) == {"out.mkv"}


@pytest.mark.parametrize(
    ("moment", "change"), paired(("key", "tracking", "fill", "end"), CHANGES[::-1])
)
def test_a_picture_changes(moment, change, pictures, tmp_path, monkeypatch):
    picture, out = pictures / "008.png", tmp_path / "out" / "out.mkv"
    before = picture.read_bytes()
    out.parent.mkdir()
    with monkeypatch.context() as patched:
        meanwhile(patched, moment, lambda: change(picture))
        with failing(InputError, out):
            clean(pictures, out)
    picture.write_bytes(before)
    clean(pictures, out, resume=True)
    assert names(out.parent) == {"out.mkv"}


@pytest.fixture(params=["folder", "video"])
def masks(request, clip, tmp_path) -> tuple[Path, Path]:
    """Masks for every frame, and the file among them that will change."""
    if request.param == "video":
        path = tmp_path / "masks.mkv"
        remover.mask(clip.path, path, box=["4,10,8,8"], tracker="none")
        return path, path
    folder = tmp_path / "masks"
    remover.mask(clip.path, folder, box=["4,10,8,8"], tracker="none")
    return folder, folder / "00004.png"


@pytest.mark.parametrize(
    ("flag", "moment", "change"),
    [("mask", "key", delete), ("mask", "scan", replace_alike), ("keep", "key", append)],
)
def test_masks_change(flag, moment, change, masks, clip, tmp_path, monkeypatch):
    given, file = masks
    out = tmp_path / "out" / "out.mkv"
    out.parent.mkdir()
    before = file.read_bytes()
    told = {"box": [], "mask": [given]} if flag == "mask" else {"keep": [given], "dilate": 9}
    with monkeypatch.context() as patched:
        meanwhile(patched, moment, lambda: change(file))
        with failing(InputError, out):
            clean(clip.path, out, **told)
    file.write_bytes(before)
    clean(clip.path, out, resume=True, **told)
    clean(clip.path, tmp_path / "true.mkv", **told)
    assert out.read_bytes() == (tmp_path / "true.mkv").read_bytes()


def test_masks_that_change_after_they_were_read_do_not_matter(masks, clip, tmp_path, monkeypatch):
    given, file = masks
    with monkeypatch.context() as patched:
        meanwhile(patched, "fill", lambda: delete(file))
        clean(clip.path, tmp_path / "out.mkv", box=[], mask=[given])


def shut(patched, folder: Path) -> None:
    """Let nobody look into ``folder``; the system lets an administrator do what it likes."""
    real = Path.stat

    def stat(self, **named):
        if folder in self.parents:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self))
        return real(self, **named)

    patched.setattr(Path, "stat", stat)


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ({"source": "in.mkv"}, InputError),
        ({"mask": ["m.png"]}, InputError),
        ({"plate": ["p.png"]}, InputError),
        ({"tracker": "sam2:tiny", "sam2_weights": "w.pt"}, WeightsError),
        ({"out": "out.mkv"}, OutputError),
        ({"matte": "m.mkv"}, OutputError),
        ({"work": "here"}, OutputError),
    ],
)
def test_nobody_may_look_there(given, kind, clip, tmp_path, monkeypatch):
    folder = tmp_path / "shut"
    folder.mkdir()
    options = {
        name: [folder / one for one in value] if isinstance(value, list) else folder / value
        for name, value in given.items()
        if name != "tracker"
    }
    if "tracker" in given:
        options |= {"tracker": given["tracker"], "sam2_weights": str(options["sam2_weights"])}
    if "work" in given:
        options["work"] = str(options["work"])
        break_in(monkeypatch, Path, "mkdir", refusal(errno.EACCES))
    shut(monkeypatch, folder)
    out = options.pop("out", tmp_path / "out.mkv")
    with pytest.raises(RemoverError) as raised:
        clean(options.pop("source", clip.path), out, **options)
    check_words(raised.value, kind)
    assert names(tmp_path) == {"shut"}


@pytest.mark.parametrize(("gone", "kind"), [(".out.mkv.remover", OutputError), (".", VerifyError)])
def test_a_folder_goes_away(gone, kind, clip, truth, tmp_path, monkeypatch):
    home = tmp_path / "home"
    home.mkdir()
    with monkeypatch.context() as patched:
        meanwhile(patched, "fill", lambda: shutil.rmtree(home / gone))
        with pytest.raises(kind) as raised:
            clean(clip.path, home / "out.mkv")
    assert raised.value.hint
    home.mkdir(exist_ok=True)
    assert names(home) == set()
    clean(clip.path, home / "out.mkv", resume=True)
    assert (home / "out.mkv").read_bytes() == truth


# Memory runs out.


def of_opencv() -> cv2.error:
    error = cv2.error("OpenCV: Insufficient memory (Failed to allocate 9 bytes)")
    error.code = -4
    return error


def of_numpy() -> MemoryError:
    with pytest.raises(MemoryError) as raised:
        np.empty(1 << 60, np.uint8)
    return raised.value


SHORTAGES = {
    "python": MemoryError,
    "numpy": of_numpy,
    "opencv": of_opencv,
    "torch": lambda: RuntimeError("CUDA out of memory. Tried to allocate 9 GiB"),
    "torch on a cpu": lambda: RuntimeError("DefaultCPUAllocator: can't allocate memory"),
    "av": lambda: of_library(errno.ENOMEM),
    "system": lambda: refusal(errno.ENOMEM),
}

PLACES = {
    "scan": (job, "thumbnail", 3),
    "decoding": (packets, "make_decoder", 0),
    "motion": (light, "survey", 1),
    "fill": (compose.ShotFill, "fill", 1),
    "composing": (compose, "composed", 7),
    "encoding": (mux.Writer, "_prepared", 5),
    "verify": (pipeline, "verify_output", 0),
}


@pytest.mark.parametrize(("place", "cause"), paired(PLACES, SHORTAGES))
def test_memory_runs_out(place, cause, clip, truth, tmp_path, monkeypatch):
    out = tmp_path / "out.mkv"
    owner, name, after = PLACES[place]
    with monkeypatch.context() as patched:
        break_in(patched, owner, name, SHORTAGES[cause](), after=after)
        with failing(DeviceError, out):
            clean(clip.path, out)
    clean(clip.path, out, resume=True)
    assert out.read_bytes() == truth


def test_memory_runs_out_while_tracking(clip, tmp_path, monkeypatch):
    with monkeypatch.context() as patched:
        break_in(patched, propagate.ShotTrack, "run", of_opencv())
        with failing(DeviceError, tmp_path / "out.mkv"):
            clean(clip.path, tmp_path / "out.mkv", tracker="builtin")


def test_memory_of_the_decoder_is_no_damage(clip, monkeypatch, tmp_path):
    class Decoder:
        def decode(self, _packet):
            raise of_library(errno.ENOMEM)

    monkeypatch.setattr(packets, "make_decoder", lambda *_, **__: Decoder())
    with failing(DeviceError, tmp_path / "out.mkv"):
        clean(clip.path, tmp_path / "out.mkv")


def test_other_errors_of_libraries_stay_what_they_are(clip, tmp_path, monkeypatch):
    break_in(monkeypatch, light, "survey", RuntimeError("a bug"))
    with pytest.raises(RuntimeError, match="a bug"):
        clean(clip.path, tmp_path / "out.mkv")


# Other outputs.


@pytest.mark.parametrize(("name", "number"), paired(("masks", "masks.mkv", "sheet.png"), REFUSALS))
def test_masks_and_sheets_cannot_be_written(name, number, clip, tmp_path, monkeypatch):
    out = tmp_path / name
    prompts = remover.api._prompts(box=["4,10,8,8"])
    options = remover.api._options({"tracker": "none"})
    verb = pipeline.preview if name == "sheet.png" else pipeline.mask
    with monkeypatch.context() as patched:
        if name == "masks.mkv":
            gray = remover.video.GrayWriter
            break_in(patched, gray, "_mux", of_library(number), after=3)
        else:
            break_in(patched, Path, "write_bytes", refusal(number))
        with failing(OutputError, out):
            verb(clip.path, out, prompts, options)
    assert names(tmp_path) == set()
    verb(clip.path, out, prompts, options)
    assert names(tmp_path) == {name}


def test_no_place_for_working_data(clip, monkeypatch, tmp_path):
    break_in(monkeypatch, files.tempfile, "TemporaryDirectory", refusal(errno.EROFS))
    with pytest.raises(OutputError, match="no folder for working data") as raised:
        remover.mask(clip.path, tmp_path / "masks", box=["4,10,8,8"], tracker="none")
    check_words(raised.value, OutputError)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_the_standard_output_is_full(clip):
    shown = [sys.executable, "-m", "remover", "--version"]
    piped = [sys.executable, "-m", "remover", "clean", str(clip.path), "--tracker", "none"]
    piped += ["--box", "4,10,8,8", "-o", "-"]
    for command in (shown, piped):
        with Path("/dev/full").open("wb") as full:
            done = subprocess.run(
                command,
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
                check=False,
                env=ENVIRONMENT,
            )
        assert done.returncode == ExitCode.OUTPUT
        assert done.stderr.count("error: ") == 1
        assert "Traceback" not in done.stderr
        assert "\nhint: " in done.stderr
