"""Programs that a test builds: statically, so that the preload does not reach them, by each C library there is."""
import os
import platform
import shutil

from harness import TOP, command, skip

# The kernel's headers, for a C library that comes without them.
KERNEL = ["-idirafter", "/usr/include", "-idirafter", "/usr/include/%s-linux-gnu" % platform.machine()]
# The 32-bit programs that a 64-bit kernel runs as well.
KINDS = {
    "glibc": ["cc", "-static"],
    "musl": ["musl-gcc", "-static", *KERNEL],
    **({"armhf": ["arm-linux-gnueabihf-gcc", "-static"]} if platform.machine() == "aarch64" else
       {"i386": ["cc", "-m32", "-static", *KERNEL]}),
    "dynamic": ["cc"],
}


def build_or_why(kind, target, *sources):
    """`target`, an executable made of files below tests/. None; or the reason, where that cannot be."""
    if kind not in KINDS:
        return "not on this machine"
    compiler, *flags = KINDS[kind]
    if not shutil.which(compiler):
        return "no " + compiler
    status, _, err = command(compiler, *flags, "-D_GNU_SOURCE", "-std=gnu11", "-O1", "-pthread", "-o", target,
                             *(os.path.join(TOP, "tests", source) for source in sources))
    # Whoever has the compiler and not the library for it.
    return (err.strip().split("\n") or [""])[-1] if status else None


def build(kind, target, *sources):
    """True; or False, and the reason is told."""
    why = build_or_why(kind, target, *sources)
    if why:
        skip("%s, %s" % (os.path.basename(target), kind), why)
    return not why


def build_any(target, *sources):
    """A static one, by whichever C library is there."""
    return build("musl" if shutil.which("musl-gcc") else "glibc", target, *sources)
