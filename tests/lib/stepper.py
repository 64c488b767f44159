"""A process that stops at its system calls, by ptrace(2): what is between two of them can be looked at as long as it
takes. Of a process, its first thread."""
import ctypes
import os
import signal
import struct

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
libc.ptrace.restype = ctypes.c_long

DETACH, SYSCALL, SEIZE, INTERRUPT, SYSCALL_INFO = 17, 24, 0x4206, 0x4207, 0x420e
SYSGOOD = 1
ENTRY, EXIT = 1, 2
WALL = 0x40000000
WAITID = {"x86_64": 247, "aarch64": 95}.get(os.uname().machine)


def ptrace(request, pid, address=0, data=0):
    result = libc.ptrace(request, pid, address, data)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


class Stepper:
    """Takes hold of a process; let_go() ends it, and so does its death."""

    def __init__(self, pid):
        self.pid = pid
        ptrace(SEIZE, pid, 0, SYSGOOD)

    def stop(self):
        """Stops it where it is."""
        ptrace(INTERRUPT, self.pid)
        os.waitpid(self.pid, WALL)

    def call(self):
        """(ENTRY, number, arguments) or (EXIT, result), from one stop to the next; what else stops it goes on."""
        while True:
            ptrace(SYSCALL, self.pid)
            status = os.waitpid(self.pid, WALL)[1]
            assert os.WIFSTOPPED(status), "%d has ended: %#x" % (self.pid, status)
            if os.WSTOPSIG(status) == signal.SIGTRAP | 0x80:
                break
        info = ctypes.create_string_buffer(88)
        ptrace(SYSCALL_INFO, self.pid, len(info), ctypes.addressof(info))
        if info.raw[0] == ENTRY:
            number, *arguments = struct.unpack_from("7Q", info.raw, 24)
            return ENTRY, number, arguments
        return EXIT, struct.unpack_from("q", info.raw, 24)[0]

    def after(self, number, *first):
        """Stops it behind the next system call of that number and with these first arguments: its result."""
        call = (EXIT, 0)
        while call[0] != ENTRY or call[1] != number or tuple(call[2][:len(first)]) != first:
            call = self.call()
        return self.call()[1]

    def let_go(self):
        ptrace(DETACH, self.pid)
