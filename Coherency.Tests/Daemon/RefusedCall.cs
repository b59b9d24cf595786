using System.Globalization;
using Coherency.Core.Linux;

namespace Coherency.Tests.Daemon;

/// <summary>Runs a program under a seccomp policy by which a system call fails, as container runtimes do.</summary>
internal static class RefusedCall
{
    // Their numbers on x86-64.
    public const int Unshare = 272;
    public const int MemFdCreate = 319;

    private const string Launcher = """
        import ctypes, os, struct, sys
        rules = [(0x20, 0, 0, 0), (0x15, 0, 1, int(sys.argv[1])), (6, 0, 0, 0x50000 | int(sys.argv[2])), (6, 0, 0, 0x7fff0000)]
        code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *rule) for rule in rules))
        program = struct.pack("HxxxxxxP", len(rules), ctypes.addressof(code))
        libc = ctypes.CDLL(None, use_errno=True)
        assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, program, 0, 0) == 0
        os.execvp(sys.argv[3], sys.argv[3:])
        """;

    /// <summary>Arguments of python3; the program's follow.</summary>
    public static string[] Launch(int call, Errno errno) =>
        ["-c", Launcher, call.ToString(CultureInfo.InvariantCulture), ((int)errno).ToString(CultureInfo.InvariantCulture)];
}
