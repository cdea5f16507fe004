//! What a program must not be able to do, asked from inside.

use opencode_core::sandbox::{Execution, Status};

use super::{is_lambda, printed, python, run};
use crate::run::Sandbox;

/// Each line of code with the error that it must meet; asked in one run.
fn refused(attempts: &[&str]) {
    let mut code = "import os, ctypes, errno, socket\nlibc = ctypes.CDLL(None, use_errno=True)\n\
        def call(number, *args):\n    if libc.syscall(number, *args) == -1: raise OSError(ctypes.get_errno(), 'x')\n"
        .to_owned();
    for attempt in attempts {
        let body =
            format!("try:\n    {attempt}\n    print('open:', {attempt:?})\nexcept OSError as error:\n");
        code.push_str(&body);
        code.push_str("    if error.errno not in (1, 13, 38, 2, 3): print('other:', error)\n");
    }
    assert_eq!(printed(&code), "");
}

#[test]
fn files_outside_are_shut() {
    if is_lambda() {
        return;
    }
    refused(&[
        "open('/etc/passwd')",
        "open('/etc/shadow')",
        "open('/etc/hostname')",
        "os.listdir('/')",
        "os.listdir('/root')",
        "os.listdir('/home')",
        "os.listdir('/proc')",
        "os.listdir('/tmp')",
        "os.listdir('../..')",
        "open('/proc/1/environ')",
        "open('/proc/self/environ')",
        "open('/tmp/opencode-canary', 'w')",
        "open('/var/tmp/opencode-canary', 'w')",
        "open('/dev/shm/opencode-canary', 'w')",
        "open('/dev/tty')",
        "open('/dev/sda')",
        "os.mknod('device', 0o20600, 0x103)",
        "os.mknod('block', 0o60600, 0x103)",
    ]);
}

#[test]
fn system_calls_that_nobody_needs_are_shut() {
    if is_lambda() {
        return;
    }
    refused(&[
        "socket.socket(socket.AF_INET, socket.SOCK_STREAM)",
        "socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)",
        "socket.socket(socket.AF_UNIX)",
        "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
        "socket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
        "socket.socket(40, socket.SOCK_STREAM)",
        "socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)",
        "os.unshare(0x10000000) if hasattr(os, 'unshare') else call(272, 0x10000000)",
        "call(56, 0x10000000 | 17, 0, 0, 0, 0)",
        "call(435, 0, 0)",
        "call(425, 8, 0)",
        "call(323, 0)",
        "call(321, 0, 0, 0)",
        "call(298, 0, 0, 0, 0, 0)",
        "call(250, 0, 0)",
        "call(101, 16, os.getppid(), 0, 0)",
        "call(310, os.getppid(), 0, 0, 0, 0, 0)",
        "call(438, 3, 0, 0)",
        "call(304, 0, 0, 0)",
        "call(165, 0, 0, 0, 0, 0)",
        "call(157, 4, 0, 0, 0, 0)",
        "call(29, 0, 4096, 0o1600)",
        "call(302, os.getppid(), 7, 0, 0)",
        "os.kill(os.getppid(), 9)",
        "os.kill(1, 19)",
        "os.setpriority(os.PRIO_PROCESS, os.getppid(), 19)",
        "os.sched_setaffinity(os.getppid(), {0})",
        "__import__('fcntl').ioctl(0, 0x5412, b'x')",
    ]);
}

#[test]
fn calls_of_other_kinds_end_the_process() {
    if is_lambda() || !cfg!(target_arch = "x86_64") {
        return;
    }
    let outcome = python("import ctypes\nctypes.CDLL(None).syscall(0x40000000 | 39)\nprint('open')");
    assert_eq!(
        (outcome.status, outcome.signal.as_deref()),
        (Status::Killed, Some("signal 31")),
        "{outcome:?}"
    );
    // getpid by the 32-bit gate: mov eax, 20; int 0x80; ret
    let code = "import ctypes, mmap\nm = mmap.mmap(-1, 4096, prot=7)\nm.write(bytes.fromhex('b814000000cd80c3'))\n\
                ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(m)))()\nprint('open')";
    let outcome = python(code);
    assert_eq!((outcome.status, outcome.stdout.as_str()), (Status::Killed, ""), "{outcome:?}");
}

#[test]
fn nothing_is_inherited() {
    let code = "import os, resource, signal\nfound = []\nfor n in range(3, 1024):\n    try: os.fstat(n); found.append(n)\n    except OSError: pass\n\
                print(found, resource.getrlimit(resource.RLIMIT_CORE), open('/dev/null').read() == '')\n\
                print(signal.pthread_sigmask(signal.SIG_BLOCK, []), os.getpid() == os.getpgid(0) == os.getsid(0))";
    assert_eq!(printed(code), "[] (0, 0) True\nset() True\n");
    let code = "process.stdout.write(JSON.stringify([...Array(100).keys()].slice(3).filter((n) => { try { \
                return require('fs').readlinkSync(`/proc/self/fd/${n}`).startsWith('pipe') && n < 5 } catch { return false } })))";
    assert_eq!(run(&Execution::of("js", code)).stdout, "[]");
    assert_eq!(
        run(&Execution::of(
            "bash",
            "for n in 3 4 5 6 7 8 9; do { true >&$n; } 2>/dev/null && echo $n; done; true"
        ))
        .stdout,
        ""
    );
}

#[test]
fn nobody_becomes_root() {
    let code = "import os\nfor become in (os.setuid, os.setgid):\n    try: become(0); print('became')\n    except OSError: pass";
    assert_eq!(printed(code), "");
}

#[test]
fn limits_cannot_be_raised() {
    let code = "import resource\nfor kind in (resource.RLIMIT_NPROC, resource.RLIMIT_FSIZE, resource.RLIMIT_NOFILE):\n    \
                try: resource.setrlimit(kind, (1 << 40, 1 << 40)); print('raised', kind)\n    except (ValueError, OSError): pass";
    assert_eq!(printed(code), "");
}

#[test]
fn runaways_end() {
    for code in [
        "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass",
        "import os, signal, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        for n in (1, 2, 3, 13, 15): signal.signal(n, signal.SIG_IGN)\n        while True: time.sleep(1)\n    os._exit(0)\ntime.sleep(600)",
        "import os\nfor _ in range(20):\n    if os.fork() == 0:\n        os.setsid()\n        while True: pass\nwhile True: pass",
    ] {
        let mut execution = Execution::of("python", code);
        execution.limits.wall_ms = 400;
        let outcome = run(&execution);
        assert_eq!(outcome.status, Status::Timeout, "{outcome:?}");
        // SAFETY: only asks whether there is a child, and reaps none.
        let none = unsafe { libc::waitpid(-1, std::ptr::null_mut(), libc::WNOHANG | libc::WNOWAIT) };
        assert!(none <= 0 || !is_lambda());
    }
}

/// In the lambda profile a folder stands for `/tmp`: it belongs to the sandbox alone, and is emptied.
#[test]
fn nothing_of_a_run_is_there_for_the_next() {
    let shared = super::folder();
    let mut settings = super::settings();
    settings.scratch.push(shared.path().to_owned());
    let mut sandbox = Sandbox::new(settings).unwrap();
    let places = "import os, sys, time\nplaces = ['.', '..', os.environ['TMPDIR'], sys.argv[1]]\n";
    let leave = "for place in places:\n    try: open(place + '/canary', 'w').write('c')\n    except OSError: pass\n\
                 if os.fork() == 0:\n    os.setsid()\n    time.sleep(600)\nos._exit(0)";
    let find = "for place in places:\n    try: print([name for name in os.listdir(place) if 'canary' in name])\n    \
                except OSError: print('[]')";
    for _ in 0..3 {
        for (code, printed) in [(leave, ""), (find, "[]\n[]\n[]\n[]\n")] {
            let mut execution = Execution::of("python", &format!("{places}{code}"));
            execution.args.push(shared.path().to_string_lossy().into_owned());
            let (outcome, trust) = sandbox.run(&execution, &mut |_| {});
            assert_eq!((outcome.stdout.as_str(), trust), (printed, super::Trust::Clean), "{outcome:?}");
        }
    }
    assert_eq!(std::fs::read_dir(shared.path()).unwrap().count(), 0);
}
