"""The box of a model's process: what is closed before the model is loaded. In front of worker.py in one program.

Needs no privileges. Landlock (linux/landlock.h): files, TCP, signals to others. A seccomp filter (BPF as in
linux/filter.h): sockets, and calls that reach other processes or the kernel's rarer parts. Limits of setrlimit(2).
Where the kernel lacks Landlock, or a part of it, what there is is taken; `slipway doctor` tells.
"""

import ctypes
import glob
import os
import resource
import signal
import struct
import sys
import time

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 1, 4, 36, 38
PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 22, 2
SIGKILL, SIGTERM, SIGCHLD = 9, 15, 17
LIBC = ctypes.CDLL(None, use_errno=True)

# Landlock: the numbers of its system calls are the same everywhere.
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR, REMOVE_DIR, REMOVE_FILE, MAKE_CHAR = (1 << bit for bit in range(7))
MAKE_SOCK, MAKE_BLOCK, REFER, TRUNCATE, IOCTL_DEV = 1 << 9, 1 << 11, 1 << 13, 1 << 14, 1 << 15
OF_ONE_FILE = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV
READ = EXECUTE | READ_FILE | READ_DIR
TCP, SIGNALS_AND_ABSTRACT_SOCKETS = 0b11, 0b11

# What libraries read beside the interpreter's own folders: programs, shared libraries, the time zone, names of users and
# hosts, certificates, the shape of the machine. Of /proc only what is of the whole machine, and this process's own.
SYSTEM = [
    "/usr", "/lib", "/lib32", "/lib64", "/bin", "/sbin",
    *(f"/etc/{name}" for name in (
        "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "timezone", "passwd", "group", "nsswitch.conf", "hosts",
        "host.conf", "resolv.conf", "gai.conf", "services", "protocols", "mime.types", "os-release", "lsb-release",
        "debian_version", "redhat-release", "system-release", "locale.alias", "fonts", "OpenCL", "ca-certificates",
        "ssl/certs", "ssl/cert.pem", "ssl/openssl.cnf", "pki/ca-trust", "pki/tls/certs", "pki/tls/openssl.cnf")),
    *(f"/proc/{name}" for name in (
        "self", "cpuinfo", "meminfo", "stat", "version", "filesystems", "loadavg", "uptime", "sys/vm", "sys/kernel",
        "driver/nvidia")),
    *(f"/sys/{name}" for name in ("devices", "class", "bus", "fs/cgroup", "kernel/mm")),
    "/dev/random", "/dev/urandom",
]  # fmt: skip
DEVICES = ["/dev/null", "/dev/zero", "/dev/full", "/dev/dri", "/dev/kfd", "/dev/nvidia*"]

EPERM, EACCES, ENOSYS, EOPNOTSUPP = 1, 13, 38, 95
# The numbers of system calls on x86_64 and aarch64 (asm/unistd.h), by what they are answered.
MACHINES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
NETWORK = {
    "socket": (41, 198), "connect": (42, 203), "bind": (49, 200), "listen": (50, 201), "accept": (43, 202),
    "accept4": (288, 242),
}  # fmt: skip
OTHER_PROCESSES = {
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    "process_madvise": (440, 440), "process_mrelease": (448, 448), "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438), "pidfd_send_signal": (424, 424), "kcmp": (312, 272),
}  # fmt: skip
KERNEL = {
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51),
    "mount_setattr": (442, 442), "move_mount": (429, 429), "open_tree": (428, 428), "fsopen": (430, 430),
    "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433), "unshare": (272, 97), "setns": (308, 268),
    "keyctl": (250, 219), "add_key": (248, 217), "request_key": (249, 218), "bpf": (321, 280),
    "perf_event_open": (298, 241), "userfaultfd": (323, 282), "shmget": (29, 194), "msgget": (68, 186),
    "semget": (64, 190), "mq_open": (240, 180), "kexec_load": (246, 104), "kexec_file_load": (320, 294),
    "init_module": (175, 105), "finit_module": (313, 273), "delete_module": (176, 106), "reboot": (169, 142),
    "swapon": (167, 224), "swapoff": (168, 225), "settimeofday": (164, 170), "clock_settime": (227, 112),
    "adjtimex": (159, 171), "clock_adjtime": (305, 266), "sethostname": (170, 161), "setdomainname": (171, 162),
    "acct": (163, 89), "quotactl": (179, 60), "quotactl_fd": (443, 443), "iopl": (172, None), "ioperm": (173, None),
    "personality": (135, 92), "syslog": (103, 116), "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265),
    "fanotify_init": (300, 262), "vhangup": (153, 58),
}  # fmt: skip
# Libraries do without these, and say nothing. Memory that no process maps could not be counted (memfd); what clone3 is
# asked for stands in memory that a filter does not see: the C library takes clone then.
ABSENT = {
    "clone3": (435, 435), "openat2": (437, 437), "memfd_create": (319, 279), "memfd_secret": (447, 447),
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
}  # fmt: skip
# Landlock does not know these, and the files of this user are many: they do nothing, and say that it was done, since
# copying a file includes them. Nobody else may enter the model's folder, so that modes mean nothing there.
PRETENDED = {
    "chmod": (90, None), "fchmod": (91, 52), "fchmodat": (268, 53), "fchmodat2": (452, 452), "chown": (92, None),
    "fchown": (93, 55), "lchown": (94, None), "fchownat": (260, 54),
}  # fmt: skip
ATTRIBUTES = {
    "setxattr": (188, 5), "lsetxattr": (189, 6), "fsetxattr": (190, 7), "removexattr": (197, 14),
    "lremovexattr": (198, 15), "fremovexattr": (199, 16),
}  # fmt: skip
CLONE, IOCTL, PRLIMIT = (56, 220), (16, 29), (302, 261)
KILLS = {"kill": (62, 129), "tkill": (200, 130), "tgkill": (234, 131), "rt_sigqueueinfo": (129, 138),
         "rt_tgsigqueueinfo": (297, 240)}  # fmt: skip
OPENS = {1: (2, None), 2: (257, 56)}  # open, openat: which argument the flags are
TRUNCATE_BY_NAME = (76, 45)
NEW_NAMESPACES = 0x7E020000  # CLONE_NEW*
TIOCSTI, TIOCLINUX = 0x5412, 0x541C  # typing in somebody's terminal

LOAD, EQUAL, AT_LEAST, ANY_BIT, AND, GIVE = 0x20, 0x15, 0x35, 0x45, 0x54, 0x06
ALLOW, KILL, REFUSE = 0x7FFF0000, 0x80000000, 0x00050000  # REFUSE: with an errno; 0 pretends success


class Filter:
    """A seccomp filter: a list of BPF steps that ends in allowing; each rule leaves the call's number loaded."""

    def __init__(self):
        self.machine = list(MACHINES).index(os.uname().machine)
        self.steps = [
            (LOAD, 0, 0, 4), (EQUAL, 1, 0, list(MACHINES.values())[self.machine]), (GIVE, 0, 0, KILL),
            (LOAD, 0, 0, 0), (AT_LEAST, 0, 1, 0x40000000), (GIVE, 0, 0, REFUSE | ENOSYS),  # x32 calls on x86
        ]  # fmt: skip

    def refuse(self, calls: dict, errno: int) -> None:
        for numbers in calls.values():
            self.when(numbers, [(GIVE, 0, 0, REFUSE | errno)])

    def when(self, numbers: tuple, then: list) -> None:
        """Steps for one call, which end in a decision."""
        if (number := numbers[self.machine]) is not None:
            self.steps += [(EQUAL, 0, len(then), number), *then]

    def when_argument(self, numbers: tuple, argument: int, test: list, errno: int) -> None:
        """Refused where the last of the tests, of the argument's lower half, comes true; else allowed."""
        refuse = [(GIVE, 0, 0, REFUSE | errno), (GIVE, 0, 0, ALLOW)]
        self.when(numbers, [(LOAD, 0, 0, 16 + 8 * argument), *test, *refuse])

    def close(self) -> None:
        code = b"".join(struct.pack("HBBI", *step) for step in [*self.steps, (GIVE, 0, 0, ALLOW)])
        buffer = ctypes.create_string_buffer(code)
        header = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(buffer)))
        if LIBC.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or LIBC.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, header, 0, 0):
            raise OSError(ctypes.get_errno(), "the seccomp filter could not be set")


def forbid_network() -> None:
    """Of a process that answers on a socket which it was given: it opens no other one."""
    network = Filter()
    network.refuse({name: NETWORK[name] for name in ("socket", "connect", "bind", "listen")}, EACCES)
    network.refuse(ABSENT, ENOSYS)
    network.close()


def forbid_calls(settings: dict, abi: int) -> None:
    calls = Filter()
    if not settings["network"]:
        calls.refuse(NETWORK, EACCES)
    calls.refuse(OTHER_PROCESSES, EPERM)
    calls.refuse(KERNEL, EPERM)
    calls.refuse(ABSENT, ENOSYS)
    calls.when_argument(CLONE, 0, [(ANY_BIT, 0, 1, NEW_NAMESPACES)], EPERM)
    calls.when_argument(IOCTL, 1, [(EQUAL, 1, 0, TIOCSTI), (EQUAL, 0, 1, TIOCLINUX)], EPERM)
    calls.when_argument(PRLIMIT, 0, [(EQUAL, 2, 0, 0), (EQUAL, 1, 0, os.getpid())], EPERM)
    if settings["user"] is None and not settings["installs"]:  # else the files of this user are the model's own
        calls.refuse(PRETENDED, 0)
        calls.refuse(ATTRIBUTES, EOPNOTSUPP)
    if abi < 6:  # no Landlock that keeps signals in: at least those who could tell of the model, and everybody at once
        others = [0xFFFFFFFF, *(number & 0xFFFFFFFF for pid in settings["owners"] for number in (pid, -pid))]
        last = len(others) - 1
        for numbers in KILLS.values():
            tests = [(EQUAL, last - k, k == last, other) for k, other in enumerate(others)]
            calls.when_argument(numbers, 0, tests, EPERM)
    if abi < 3:  # no Landlock that keeps files from being cut: not by name, and not where they are opened to be read
        calls.refuse({"truncate": TRUNCATE_BY_NAME}, EPERM)
        for argument, numbers in OPENS.items():
            test = [(AND, 0, 0, os.O_TRUNC | os.O_ACCMODE), (EQUAL, 0, 1, os.O_TRUNC)]
            calls.when_argument(numbers, argument, test, EPERM)
    calls.close()


def landlock_abi() -> int:
    """Which version of Landlock this kernel has; 0: none, or it is switched off."""
    return max(0, LIBC.syscall(CREATE_RULESET, None, 0, 1))


def interpreter_folders() -> set:
    """What is imported from, and what the interpreter is started from; "/" would be everything."""
    places = {sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix, *sys.path}
    places |= {os.path.dirname(sys.executable), os.path.dirname(os.path.realpath(sys.executable))}
    return {place for place in map(os.path.realpath, filter(None, places)) if place != "/"}


def forbid_files(settings: dict, abi: int) -> None:
    """Everything but reading the system, the interpreter and the model, and the model's own scratch folder."""
    files = (1 << 13) - 1 | (REFER if abi >= 2 else 0) | (TRUNCATE if abi >= 3 else 0) | (IOCTL_DEV if abi >= 5 else 0)
    network = TCP if abi >= 4 and not settings["network"] else 0
    scope = SIGNALS_AND_ABSTRACT_SOCKETS if abi >= 6 else 0
    size = 24 if abi >= 6 else 16 if abi >= 4 else 8
    rules = LIBC.syscall(CREATE_RULESET, struct.pack("QQQ", files, network, scope), size, 0)
    if rules < 0:
        raise OSError(ctypes.get_errno(), "the rules of Landlock could not be made")

    def allow(path: str, rights: int) -> None:
        try:
            number = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            return  # it is not on this machine
        if not os.path.isdir(path):
            rights &= OF_ONE_FILE
        rule = struct.pack("=Qi", rights & files, number)
        if LIBC.syscall(ADD_RULE, rules, 1, rule, 0):
            raise OSError(ctypes.get_errno(), f"no rule of Landlock for {path}")
        os.close(number)

    for path in {*SYSTEM, *interpreter_folders(), settings["model"], *settings["readable"]}:
        allow(path, READ)
    for path in (path for pattern in DEVICES for path in glob.glob(pattern)):
        allow(path, READ_FILE | READ_DIR | WRITE_FILE | TRUNCATE | IOCTL_DEV)
    for path in (os.getcwd(), *settings["writable"]):
        allow(path, files & ~(MAKE_CHAR | MAKE_BLOCK | MAKE_SOCK | IOCTL_DEV))
    if LIBC.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or LIBC.syscall(RESTRICT_SELF, rules, 0):
        raise OSError(ctypes.get_errno(), "the rules of Landlock could not be set")
    os.close(rules)


def limit(settings: dict) -> None:
    """What one process may take; what all of them take together is watched from outside (process_tree.h)."""

    def lower(what: int, most: int) -> None:
        _, hard = resource.getrlimit(what)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (most, most))

    lower(resource.RLIMIT_CORE, 0)
    lower(resource.RLIMIT_NOFILE, 4096)
    lower(resource.RLIMIT_FSIZE, settings["disk_mib"] << 20)
    # Brakes for what outruns the watch: address space, whose empty pages are memory of the kernel's, and processes of
    # this user, among whom there are others. A graphics card's memory has addresses too.
    if not glob.glob("/dev/nvidia*") and not os.path.exists("/dev/kfd"):
        lower(resource.RLIMIT_AS, (16384 + 4 * settings["memory_mib"]) << 20)
    lower(resource.RLIMIT_NPROC, max(8192, 16 * settings["tasks"]))


def change_user(user: int, group: int) -> None:
    os.setgroups([])
    os.setresgid(group, group, group)
    os.setresuid(user, user, user)
    LIBC.prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0)  # another user's process forgets it
    LIBC.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)  # else /proc/self is root's; what it has in memory is the model's own


def close_box(settings: dict) -> None:
    """Behind this the process is the model's."""
    with open("/proc/self/oom_score_adj", "w") as file:  # before the process that started this one
        file.write("1000")
    limit(settings)
    if not settings["installs"]:  # bytecode would lie beside the model's code, in a folder whose digest is known
        sys.dont_write_bytecode = True
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"  # for what the model starts
    if settings["user"] is not None:
        change_user(*settings["user"])
    abi = landlock_abi()
    if abi > 0:
        forbid_files(settings, abi)
    forbid_calls(settings, abi)


def end_all_but(kept) -> None:
    """Ends this process's children, and theirs, but for those to be kept, whose process ids are given; they are gone
    behind this, unless the system itself holds one up."""
    deadline = time.monotonic() + 2
    while strays := [pid for pid in children_of(os.getpid()) if pid not in kept]:
        tree = list(strays)
        for pid in tree:
            tree += children_of(pid)
        for pid in tree:
            try:
                os.kill(pid, SIGKILL)
            except ProcessLookupError:
                pass
        gone = [os.waitpid(pid, os.WNOHANG)[0] for pid in strays]
        if 0 in gone:
            if time.monotonic() > deadline:
                return
            time.sleep(0.0005)


def children_of(pid: int) -> list:
    children = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children") as file:
                children += map(int, file.read().split())
    except OSError:
        pass  # it has ended
    return children


def stand_guard() -> None:
    """Forks; what comes back is the new process. The first one stays, adopts whatever its descendants leave behind, in
    whichever session, and ends it with the new process, whose end becomes its own. On SIGTERM it ends all."""
    LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    waited = {signal.SIGTERM, signal.SIGCHLD}
    signal.pthread_sigmask(signal.SIG_BLOCK, waited)
    guard, pid = os.getpid(), os.fork()
    if pid == 0:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, waited)
        LIBC.prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0)
        if os.getppid() != guard:
            os._exit(1)
        return
    LIBC.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.closerange(3, 1 << 16)
    status = None
    while status is None:
        if signal.sigwait(waited) == signal.SIGTERM:
            os.kill(pid, SIGKILL)
        while (ended := os.waitpid(-1, os.WNOHANG))[0] != 0:
            if ended[0] == pid:
                status = ended[1]
                break
        end_all_but({pid} if status is None else set())
    if os.WIFSIGNALED(status):
        if os.WTERMSIG(status) != SIGKILL:
            signal.signal(os.WTERMSIG(status), signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, waited)
        os.kill(os.getpid(), os.WTERMSIG(status))
    os._exit(os.WEXITSTATUS(status))
