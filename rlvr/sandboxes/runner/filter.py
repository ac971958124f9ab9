"""The seccomp filter that every program runs under: a deny-list of system calls.

What is denied gives EPERM, as it would for lack of privilege. What the list can't know, because the
kernel is newer than it, gives ENOSYS. Most of it is laid on the zygote, once: to set up a long filter
takes the kernel as long as a short program runs. What cells need themselves is denied in each program.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct

from . import kernel

# Name: number on x86_64, on aarch64 (None: there's no such call).
_DENIED = {
    # other processes
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    "kcmp": (312, 272), "pidfd_open": (434, 434), "pidfd_getfd": (438, 438),
    "process_madvise": (440, 440), "process_mrelease": (448, 448), "perf_event_open": (298, 241),
    "migrate_pages": (256, 238), "move_pages": (279, 239), "mbind": (237, 235),
    "set_mempolicy": (238, 237), "get_mempolicy": (239, 236), "setpriority": (141, 140),
    "ioprio_set": (251, 30), "sched_setscheduler": (144, 119), "sched_setparam": (142, 118),
    "sched_setattr": (314, 274), "sched_setaffinity": (203, 122),
    # a new session has a number that counts all sessions of the machine (/proc/self/autogroup)
    "setsid": (112, 157),
    # namespaces and file systems
    "unshare": (272, 97), "setns": (308, 268), "chroot": (161, 51), "pivot_root": (155, 41),
    "mount": (165, 40), "umount2": (166, 39), "open_tree": (428, 428), "move_mount": (429, 429),
    "fsopen": (430, 430), "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433),
    "mount_setattr": (442, 442), "open_tree_attr": (467, 467), "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265), "fanotify_init": (300, 262), "fanotify_mark": (301, 263),
    "quotactl": (179, 60), "quotactl_fd": (443, 443), "lookup_dcookie": (212, 18),
    "swapon": (167, 224), "swapoff": (168, 225), "uselib": (134, None), "ustat": (136, None),
    "sysfs": (139, None), "acct": (163, 89),
    # the network, and memory that outlives or hides from its program
    "socket": (41, 198), "bind": (49, 200), "connect": (42, 203), "listen": (50, 201),
    "accept": (43, 202), "accept4": (288, 242), "shmget": (29, 194), "shmat": (30, 196), "shmctl": (31, 195),
    "shmdt": (67, 197), "semget": (64, 190), "semop": (65, 193), "semctl": (66, 191),
    "semtimedop": (220, 192), "msgget": (68, 186), "msgsnd": (69, 189), "msgrcv": (70, 188),
    "msgctl": (71, 187), "mq_open": (240, 180), "mq_unlink": (241, 181),
    "mq_timedsend": (242, 182), "mq_timedreceive": (243, 183), "mq_notify": (244, 184),
    "mq_getsetattr": (245, 185), "memfd_create": (319, 279), "memfd_secret": (447, 447),
    "vmsplice": (278, 75), "add_key": (248, 217), "request_key": (249, 218),
    "keyctl": (250, 219),
    # the kernel's wide or rarely trodden surfaces
    "bpf": (321, 280), "userfaultfd": (323, 282), "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426), "io_uring_register": (427, 427), "personality": (135, 92),
    "io_setup": (206, 0), "io_destroy": (207, 1), "io_submit": (209, 2), "io_cancel": (210, 3),
    "io_getevents": (208, 4), "io_pgetevents": (333, 292), "remap_file_pages": (216, 234),
    "seccomp": (317, 277), "set_mempolicy_home_node": (450, 450), "modify_ldt": (154, None), "iopl": (172, None), "ioperm": (173, None),
    "vhangup": (153, 58), "_sysctl": (156, None), "nfsservctl": (180, 42),
    # the machine: sync writes out everybody's files, and who waits for that can't be killed
    "sync": (162, 81), "syncfs": (306, 267), "statmount": (457, 457), "listmount": (458, 458),
    "listns": (470, 470),
    "kexec_load": (246, 104), "kexec_file_load": (320, 294), "create_module": (174, None),
    "init_module": (175, 105), "finit_module": (313, 273), "delete_module": (176, 106),
    "reboot": (169, 142), "sethostname": (170, 161), "setdomainname": (171, 162),
    "syslog": (103, 116), "settimeofday": (164, 170), "clock_settime": (227, 112),
    "clock_adjtime": (305, 266), "adjtimex": (159, 171),
}  # fmt: skip
# Calls that libraries have a fallback for. Each shows a counter or a state that outlives a program: `statx` the time at
# which a file system was mounted and a number that grows with every mount, `cachestat` the kernel's page cache. The
# flags of the others are in memory, where a filter cannot see them.
_ABSENT = {
    "statx": (332, 291),
    "cachestat": (451, 451),
    "openat2": (437, 437),
    "clone3": (435, 435),
}
_LAST_KNOWN = 470
# Any new namespace (NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET).
_NEW_NAMESPACE = 0x7E020000
_SHARED_ANONYMOUS = 0x21
_TEMPORARY_FILE = 0x400000
_SAFE_FLAGS = 0x17  # of preadv2: RWF_HIPRI, RWF_DSYNC, RWF_SYNC, RWF_APPEND
_ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}

_LOAD, _EQUAL, _ABOVE, _ANY_BIT, _AND, _RETURN = 0x20, 0x15, 0x25, 0x45, 0x54, 0x06
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
_SET_SECCOMP, _FILTER = 22, 2


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("HBBI", code, if_true, if_false, value)


def _return(error: int) -> bytes:
    return _step(_RETURN, _ERRNO | error)


def _program(names: list[str], checks: list[bytes]) -> bytes:
    """In the instructions of classic BPF; see seccomp(2). Jumps count the instructions left out."""
    column, architecture = _ARCHITECTURES[os.uname().machine]
    steps = [
        _step(_LOAD, _ARCHITECTURE),
        _step(_EQUAL, architecture, 1),
        _step(_RETURN, _KILL),  # another machine's call numbers, as by int 0x80
        _step(_LOAD, _NUMBER),
        *checks,
    ]
    numbers = [number for name in names if (number := _DENIED[name][column]) is not None]
    for i, number in enumerate(numbers):
        steps.append(_step(_EQUAL, number, len(numbers) - i))
    return b"".join([*steps, _step(_RETURN, _ALLOW), _return(errno.EPERM)])


def _absent() -> list[bytes]:
    """Return checks for calls that don't exist here: newer than this list, x32's, and `_ABSENT`."""
    column, _ = _ARCHITECTURES[os.uname().machine]
    steps = [_step(_ABOVE, _LAST_KNOWN, 0, 1), _return(errno.ENOSYS)]
    for numbers in _ABSENT.values():
        steps += [_step(_EQUAL, numbers[column], 0, 1), _return(errno.ENOSYS)]
    return steps


def _argument(
    call: tuple[int | None, int | None], index: int, *test: bytes, error: int = errno.EPERM
) -> list[bytes]:
    """Return checks that fail a call with `error` if `test` is true of one of its arguments (its low 32 bits)."""
    column, _ = _ARCHITECTURES[os.uname().machine]
    number = call[column]
    if number is None:
        return []
    steps = [
        _step(_LOAD, _ARGUMENTS + 8 * index),
        *test,
        _return(error),
        _step(_RETURN, _ALLOW),
    ]
    return [_step(_EQUAL, number, 0, len(steps)), *steps]


def _any_bit(mask: int) -> bytes:
    return _step(_ANY_BIT, mask, 0, 1)


def _equal(value: int) -> bytes:
    return _step(_EQUAL, value, 0, 1)


def _for_all() -> list[bytes]:
    return [
        *_absent(),
        # A file without a name takes a number from its file system and leaves no other trace in it.
        *_argument((2, None), 1, _any_bit(_TEMPORARY_FILE), error=errno.EOPNOTSUPP),
        *_argument((257, 56), 2, _any_bit(_TEMPORARY_FILE), error=errno.EOPNOTSUPP),
        # preadv2: what is in the page cache, without reading it; fadvise: out of the page cache with it.
        *_argument((327, 286), 5, _any_bit(0xFFFFFFFF ^ _SAFE_FLAGS), error=errno.EOPNOTSUPP),
        *_argument((221, 223), 3, _equal(4), error=0),
        # fcntl: F_SET_RW_HINT and F_SET_FILE_RW_HINT stay with the file after the process that set them.
        *_argument((72, 25), 1, _step(_AND, 0xFFFFFFFD), _equal(1036), error=errno.EINVAL),
        # setsockopt: SOL_SOCKET's SO_SNDBUF, and SO_SNDBUFFORCE. The buffers of sockets are the kernel's memory.
        *_argument((54, 208), 2, _equal(7), error=0),
        *_argument((54, 208), 2, _equal(32)),
        # ioctl: what namespaces tell of themselves.
        *_argument((16, 29), 1, _step(_AND, 0xFF00), _equal(0xB700), error=errno.ENOTTY),
    ]


def _for_programs() -> list[bytes]:
    return [
        *_argument((56, 220), 0, _any_bit(_NEW_NAMESPACE)),
        # prlimit: of itself alone
        *_argument((302, 261), 0, _step(_EQUAL, 0, 1, 0)),
        # mmap: memory that is shared and no file's stays when a process unmaps it, and counts as nobody's.
        *_argument((9, 222), 3, _step(_AND, _SHARED_ANONYMOUS), _equal(_SHARED_ANONYMOUS)),
    ]


def _for_sessions() -> list[bytes]:
    """Return checks for what stands still between calls: a kernel's SIGCONT would wake it up."""
    column, _ = _ARCHITECTURES[os.uname().machine]
    return [
        # timer_create, for which programs fall back on alarm; fcntl's F_SETSIG
        _step(_EQUAL, (222, 107)[column], 0, 1),
        _return(errno.ENOSYS),
        *_argument((72, 25), 1, _equal(10), error=errno.EINVAL),
    ]


class _Code(ctypes.Structure):
    _fields_ = [("count", ctypes.c_ushort), ("steps", ctypes.c_void_p)]


class Filter:
    """A part of the filter, assembled once."""

    def __init__(self, names: list[str], checks: list[bytes]) -> None:
        code = _program(names, checks)
        self._buffer = ctypes.create_string_buffer(code, len(code))
        self._code = _Code(len(code) // 8, ctypes.cast(self._buffer, ctypes.c_void_p))
        self._address = ctypes.addressof(self._code)

    def install(self) -> None:
        """Put this process, and all it will start, under it. Needs `kernel.no_new_privileges` first."""
        if kernel.prctl(_SET_SECCOMP, _FILTER, self._address, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "seccomp")


# What the zygote and its cells do themselves: build file systems, wait for a child, make files in memory.
_NEEDED = ["mount", "umount2", "chroot", "pidfd_open", "memfd_create"]
FOR_ALL = Filter([name for name in _DENIED if name not in _NEEDED], _for_all())
FOR_PROGRAMS = Filter(_NEEDED, _for_programs())
FOR_SESSIONS = Filter([], _for_sessions())

# What a browser and a server on loopback need, in a jail whose network is loopback alone.
_NETWORK = ("socket", "bind", "connect", "listen", "accept", "accept4", "memfd_create", "setsid")
_FAMILIES = (1, 2, 10, 16)  # AF_UNIX, AF_INET, AF_INET6, AF_NETLINK; AF_VSOCK has no namespaces


def for_browsers() -> Filter:
    """Return the whole filter of a browser's jail; see `browser`."""
    tests = [_step(_EQUAL, family, len(_FAMILIES) - i) for i, family in enumerate(_FAMILIES)]
    checks = [
        *_absent(),
        # A jump per family leads over the return that fails the call.
        *_argument((41, 198), 0, *tests, error=errno.EAFNOSUPPORT),
        *_argument((56, 220), 0, _any_bit(_NEW_NAMESPACE)),
    ]
    return Filter([name for name in _DENIED if name not in _NETWORK], checks)
