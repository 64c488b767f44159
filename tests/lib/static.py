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
       {"i386": ["cc", "-m32", "-static"]}),
    "dynamic": ["cc"],
}


def build(kind, target, *sources):
    """`target`, an executable made of files below tests/. False, and the reason is told, where that cannot be."""
    compiler, *flags = KINDS[kind]
    name = "%s, %s" % (os.path.basename(target), kind)
    if not shutil.which(compiler):
        skip(name, "no " + compiler)
        return False
    status, _, err = command(compiler, *flags, "-D_GNU_SOURCE", "-std=gnu11", "-O1", "-pthread", "-o", target,
                             *(os.path.join(TOP, "tests", source) for source in sources))
    if status:
        # Whoever has the compiler and not the library for it.
        skip(name, (err.strip().split("\n") or [""])[-1])
    return not status


def build_any(target, *sources):
    """A static one, by whichever C library is there."""
    return build("musl" if shutil.which("musl-gcc") else "glibc", target, *sources)
