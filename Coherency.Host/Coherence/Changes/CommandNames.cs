using System.Text;
using Coherency.Core.Linux;

namespace Coherency.Host.Coherence.Changes;

/// <summary>
/// What processes are called, by /proc/PID/comm. The last few are remembered for a moment, for a program makes many changes in
/// a row and numbers of processes come round again. Of one thread.
/// </summary>
internal sealed unsafe class CommandNames
{
    private const int RememberedCount = 16;
    private const long RememberedMs = 10;

    /// <summary>TASK_COMM_LEN, with the line's end instead of the NUL.</summary>
    private const int CommandBytesMax = 16;

    [ThreadStatic]
    private static CommandNames? t_ofThread;

    private readonly (int ProcessId, long ReadMs, string Command)[] _remembered = new (int, long, string)[RememberedCount];

    public static CommandNames OfThread => t_ofThread ??= new CommandNames();

    /// <summary>Empty when the process has gone.</summary>
    public string Find(int processId)
    {
        if (processId <= 0)
        {
            return string.Empty;
        }

        ref (int ProcessId, long ReadMs, string Command) place = ref _remembered[processId % RememberedCount];
        long now = Environment.TickCount64;
        if (place.ProcessId != processId || now - place.ReadMs > RememberedMs)
        {
            string known = place.ProcessId == processId ? place.Command : string.Empty;
            place = (processId, now, Read(processId, known));
        }

        return place.Command;
    }

    /// <param name="known">Returned again if it is still right, so that nothing is allocated.</param>
    private static string Read(int processId, string known)
    {
        // SAFETY: "/proc/", at most ten digits, "/comm" and a NUL are 22 bytes.
        byte* path = stackalloc byte[32];
        Span<byte> space = new(path, 32);
        "/proc/"u8.CopyTo(space);
        processId.TryFormat(space[6..], out int digits, provider: System.Globalization.CultureInfo.InvariantCulture);
        "/comm\0"u8.CopyTo(space[(6 + digits)..]);
        int fd = Libc.OpenAt(OpenFlags.AT_FDCWD, path, OpenFlags.O_RDONLY | OpenFlags.O_CLOEXEC);
        if (fd < 0)
        {
            return string.Empty;
        }

        // SAFETY: the kernel fills in no more than it is asked for, and what it says to have filled in is the span's
        // length.
        byte* command = stackalloc byte[CommandBytesMax];
        long read = Libc.Read(fd, command, CommandBytesMax);
        _ = Libc.Close(fd);
        ReadOnlySpan<byte> name = new ReadOnlySpan<byte>(command, (int)Math.Max(read, 0)).TrimEnd((byte)'\n');
        return IsSame(known, name) ? known : Encoding.UTF8.GetString(name);
    }

    private static bool IsSame(string text, ReadOnlySpan<byte> bytes)
    {
        Span<byte> encoded = stackalloc byte[4 * CommandBytesMax];
        return Encoding.UTF8.TryGetBytes(text, encoded, out int length) && bytes.SequenceEqual(encoded[..length]);
    }
}
