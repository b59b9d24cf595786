using System.Runtime.InteropServices;

namespace Coherency.Core.Linux;

/// <summary>A system call failed where the program cannot go on with what it was doing (set-up, control path).</summary>
public sealed class LinuxException : IOException
{
    public LinuxException(string what, Errno errno)
        : base($"{what}: {Marshal.GetPInvokeErrorMessage((int)errno)} ({errno})", (int)errno) => Errno = errno;

    public Errno Errno { get; }

    /// <summary>Returns <paramref name="result"/>, or throws when it holds an error.</summary>
    public static int Check(int result, string what) =>
        result >= 0 ? result : throw new LinuxException(what, result.ToErrno());

    /// <inheritdoc cref="Check(int, string)"/>
    public static long Check(long result, string what) =>
        result >= 0 ? result : throw new LinuxException(what, result.ToErrno());
}
