import multiprocessing

import pytest

from sct.preparation.lock import exclusive


def hold(folder, ready, release):
    with exclusive(folder) as is_held:
        ready.send(is_held)
        release.recv()


def test_the_lock_is_held_by_one_process_and_freed_by_its_death(tmp_path):
    import fcntl

    context = multiprocessing.get_context("spawn")
    ready, ready_child = context.Pipe()
    _, release_child = context.Pipe()
    process = context.Process(target=hold, args=(tmp_path, ready_child, release_child))
    process.start()
    assert ready.recv() is True
    with (tmp_path / ".lock").open("a") as file, pytest.raises(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    process.kill()
    process.join()
    with exclusive(tmp_path) as is_held:
        assert is_held


def test_without_a_writable_folder_the_lock_is_passed_over(tmp_path):
    (tmp_path / "file").write_text("")
    with exclusive(tmp_path / "file") as is_held:
        assert is_held is False
