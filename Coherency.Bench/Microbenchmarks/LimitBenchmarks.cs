using System.Runtime.InteropServices;
using BenchmarkDotNet.Attributes;
using Microsoft.Win32.SafeHandles;

namespace Coherency.Bench.Microbenchmarks;

/// <summary>
/// What the machine itself takes, below which no daemon can get: a system call, those that answer a LOOKUP, a copy, and waking
/// another thread. The file is in the system's folder for temporary files.
/// </summary>
public unsafe class LimitBenchmarks
{
    private const int CopyBytes = 1 << 20;
    private const uint AttributesWanted = StatFlags.STATX_BASIC_STATS;

    private readonly byte[] _path = [.. "file\0"u8];
    private string _directory = null!;
    private int _directoryFd;
    private SafeFileHandle _file = null!;
    private int _fileFd;
    private byte* _buffer;

    [GlobalSetup]
    public void Open()
    {
        _directory = Directory.CreateTempSubdirectory("coherency-bench-").FullName;
        File.WriteAllBytes(Path.Combine(_directory, "file"), new byte[CopyBytes]);
        byte[] directory = [.. System.Text.Encoding.UTF8.GetBytes(_directory), 0];
        fixed (byte* path = directory)
            _directoryFd = LinuxException.Check(Libc.OpenAt(OpenFlags.AT_FDCWD, path, OpenFlags.O_PATH | OpenFlags.O_DIRECTORY), "open");
        _file = File.OpenHandle(Path.Combine(_directory, "file"));
        _fileFd = (int)_file.DangerousGetHandle();

        _buffer = (byte*)NativeMemory.AllocZeroed(CopyBytes);
    }

    [GlobalCleanup]
    public void Close()
    {
        NativeMemory.Free(_buffer);
        _file.Dispose();
        _ = Libc.Close(_directoryFd);
        Directory.Delete(_directory, recursive: true);
    }

    [Benchmark(Description = "the cheapest system call (lseek)")]
    public long SystemCall() => Libc.LSeek(_fileFd, 0, 0);

    [Benchmark(Description = "statx of a descriptor, as for GETATTR")]
    public int StatDescriptor()
    {
        byte empty = 0;
        return Libc.Statx(_fileFd, &empty, OpenFlags.AT_EMPTY_PATH, AttributesWanted, out _);
    }

    [Benchmark(Description = "name_to_handle_at and statx of a name, as for LOOKUP")]
    public int LookUpName()
    {
        file_handle handle = new() { handle_bytes = file_handle.MaxBytes };
        int mount;
        fixed (byte* name = _path)
        {
            _ = Libc.NameToHandleAt(_directoryFd, name, &handle, &mount, 0);
            return Libc.Statx(_directoryFd, name, OpenFlags.AT_SYMLINK_NOFOLLOW, AttributesWanted, out _);
        }
    }

    [Benchmark(Description = "preadv2 of 1 MiB that is in the page cache")]
    public long ReadCached()
    {
        IoVec vector = new(_buffer, CopyBytes);
        return Libc.PReadV2(_fileFd, &vector, 1, 0, 0);
    }
}

/// <summary>Two threads that sleep and wake each other by eventfds, as guest and daemon do when neither polls.</summary>
public unsafe class WakeBenchmarks
{
    private EventFd _there = null!;
    private EventFd _back = null!;
    private Thread _other = null!;
    private volatile bool _stops;

    [GlobalSetup]
    public void Open()
    {
        _stops = false;
        _there = EventFd.Create();
        _back = EventFd.Create();
        _other = new Thread(Answer) { IsBackground = true };
        _other.Start();
    }

    [GlobalCleanup]
    public void Close()
    {
        _stops = true;
        _there.Signal();
        _other.Join();
        _there.Dispose();
        _back.Dispose();
    }

    [Benchmark(Description = "eventfd round trip between two threads that sleep")]
    public void RoundTrip()
    {
        _there.Signal();
        Await(_back);
    }

    private void Answer()
    {
        while (true)
        {
            Await(_there);
            if (_stops)
                return;
            _back.Signal();
        }
    }

    private static void Await(EventFd doorbell)
    {
        pollfd wait = new() { fd = doorbell.Fd, events = EventFlags.POLLIN };
        _ = Libc.Poll(&wait, 1, -1);
        doorbell.Drain();
    }
}
