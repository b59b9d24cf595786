using System.Globalization;
using System.Text;
using Coherency.Core.Attaching;
using Coherency.Core.Linux;

namespace Coherency.Keeper.Logging;

/// <summary>Lines as virtiofsd writes them, on standard error or to syslog. Written by one thread.</summary>
internal sealed unsafe class KeeperLog
{
    private const string SyslogSocket = "/dev/log";
    private const string Target = "virtiofsd";

    /// <summary>LOG_DAEMON of syslog(3).</summary>
    private const int Facility = 3 << 3;

    private const int StandardError = 2;

    private readonly LineSeverity _level;
    private readonly int _syslogFd;

    /// <param name="toSyslog">Where there is none, lines go to standard error.</param>
    public KeeperLog(LineSeverity level, bool toSyslog)
    {
        _level = level;
        _syslogFd = toSyslog ? Connect() : -1;
    }

    public void Write(LineSeverity severity, string text)
    {
        if (severity > _level || severity == LineSeverity.Off)
        {
            return;
        }

        string line = text.ReplaceLineEndings(" ");
        if (_syslogFd >= 0)
        {
            WriteBytes(_syslogFd, $"<{Facility + PriorityOf(severity)}>{Target}[{Environment.ProcessId}]: {line}");
        }
        else
        {
            string time = DateTime.UtcNow.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture);
            WriteBytes(StandardError, $"[{time} {severity.ToString().ToUpperInvariant(),-5} {Target}] {line}\n");
        }
    }

    /// <summary>All at once, so that lines of two processes do not mix; who reads slowly is waited for, as by any program.</summary>
    private static void WriteBytes(int fd, string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        fixed (byte* start = bytes)
        {
            _ = Libc.Write(fd, start, (nuint)bytes.Length);
        }
    }

    private static int PriorityOf(LineSeverity severity) => severity switch
    {
        LineSeverity.Error => 3,
        LineSeverity.Warn => 4,
        LineSeverity.Info => 6,
        _ => 7,
    };

    private static int Connect()
    {
        int fd = Libc.Socket(SocketFlags.AF_UNIX, SocketFlags.SOCK_DGRAM, 0);
        if (fd >= 0 && sockaddr_un.TryMake(SyslogSocket, out sockaddr_un address) && Libc.Connect(fd, address) >= 0)
        {
            return fd;
        }

        _ = Libc.Close(fd);
        return -1;
    }
}
