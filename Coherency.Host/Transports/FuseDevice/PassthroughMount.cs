using System.Buffers.Text;
using System.Collections.Concurrent;
using System.Text;
using Coherency.Core.Fuse;
using Coherency.Core.Fuse.Abi;
using Coherency.Core.Linux;
using Coherency.Host.Faults;
using Coherency.Host.Server;
using Microsoft.Extensions.Logging;

namespace Coherency.Host.Transports.FuseDevice;

/// <summary>
/// A mount of the daemon's own, which no path leads to: its files are other files (FOPEN_PASSTHROUGH, Documentation/filesystems/fuse in
/// Linux 6.9 and later), and say that they are 2^40 bytes long. mmap(2) of one maps the page cache of the other. QEMU 11.1 maps nothing
/// beyond the end that lseek(2) tells, and makes what is empty longer; Linux guests want ranges mapped whole, also where a file ends
/// within.
/// </summary>
public sealed unsafe partial class PassthroughMount : IFileLender, IDisposable
{
    private const ulong FileBytes = 1UL << 40;
    private const ulong ForEver = 1UL << 32;
    private const uint FileMode = StatFlags.S_IFREG | 0x1B6;
    private const int StackDepth = 1;

    private readonly FuseMount _mount;
    private readonly FuseDeviceChannel _channel;
    private readonly Thread _thread;
    private readonly ILogger _log;
    private readonly int _root;
    private readonly EventFd _stop = EventFd.Create();

    /// <summary>What is being opened, by node id: a name is the id in decimal.</summary>
    private readonly ConcurrentDictionary<ulong, int> _opening = [];
    private long _lastNode = (long)NodeId.Root.Value;
    private volatile bool _canPass;

    /// <exception cref="LinuxException">The kernel refused the mount, or cannot pass files through.</exception>
    public PassthroughMount(ILogger log)
    {
        _log = log;
        DirectoryInfo place = Directory.CreateTempSubdirectory("coherencyd-");
        try
        {
            _mount = FuseMount.Mount("coherencyd", place.FullName, StatFlags.S_IFDIR);
            fixed (byte* path = Encoding.UTF8.GetBytes(place.FullName + '\0'))
            {
                _root = Libc.OpenAt(OpenFlags.AT_FDCWD, path, OpenFlags.O_PATH | OpenFlags.O_DIRECTORY);
                // The descriptor keeps it.
                _ = Libc.Unmount(path, ProcessFlags.MNT_DETACH);
            }
        }
        finally
        {
            place.Delete();
        }

        _channel = new FuseDeviceChannel(_mount.Fd, log);
        _thread = GuardedThread.Start("passthrough", Serve, Fail);
        try
        {
            LinuxException.Check(_root, "opening a mount of FUSE");
            Try();
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public int Lend(int fd)
    {
        ulong node = (ulong)Interlocked.Increment(ref _lastNode);
        _opening[node] = fd;
        // SAFETY: room for the digits of any number, and the NUL.
        Span<byte> name = stackalloc byte[24];
        name.Clear();
        Utf8Formatter.TryFormat(node, name, out _);
        try
        {
            fixed (byte* path = name)
            {
                return Libc.OpenAt(_root, path, OpenFlags.O_RDWR);
            }
        }
        finally
        {
            _opening.TryRemove(node, out _);
        }
    }

    public void Dispose()
    {
        if (_root >= 0)
        {
            _ = Libc.Close(_root);
        }

        // The last descriptor of a file may be a VMM's, and so the mount stays: what ends it is that nobody has the device any more.
        _stop.Signal();
        _thread.Join();
        _mount.Dispose();
        _stop.Dispose();
    }

    /// <summary>With a file without a name: what the kernel cannot do shows now, and not when a guest asks.</summary>
    private void Try()
    {
        string folder = Path.GetTempPath();
        int real;
        fixed (byte* path = Encoding.UTF8.GetBytes(folder + '\0'))
        {
            real = LinuxException.Check(
                Libc.OpenAt(OpenFlags.AT_FDCWD, path, OpenFlags.O_TMPFILE | OpenFlags.O_RDWR, 0x180), $"making a file in {folder}");
        }

        int lent = Lend(real);
        _ = Libc.Close(real);
        if (lent >= 0)
        {
            _ = Libc.Close(lent);
        }

        LinuxException.Check(lent, "opening a file that FUSE passes through");
        if (!_canPass)
        {
            throw new LinuxException("FUSE passthrough", Errno.EOPNOTSUPP);
        }
    }

    private void Fail(Exception fault)
    {
        LogFault(_log, fault);
        _mount.Dispose();
    }

    private void Serve()
    {
        while (Wait() && _channel.Receive() is { } request)
        {
            if (!request.TryLoad(isPrivate: true, out Errno error, out _))
            {
                request.ReplyError(error);
                continue;
            }

            error = Answer(request);
            if (error != Errno.None)
            {
                request.ReplyError(error);
            }
        }
    }

    /// <summary>For a request; false when there will be no more.</summary>
    private bool Wait()
    {
        // SAFETY: two places, of which two are polled and looked at.
        pollfd* fds = stackalloc pollfd[2];
        fds[0] = new pollfd { fd = _mount.Fd, events = EventFlags.POLLIN };
        fds[1] = new pollfd { fd = _stop.Fd, events = EventFlags.POLLIN };
        _ = Libc.Poll(fds, 2, -1);
        return fds[1].revents == 0;
    }

    private Errno Answer(FuseRequest request)
    {
        switch (request.Opcode)
        {
            case FuseOpcode.Init:
                return Init(request);
            case FuseOpcode.Lookup:
                return Lookup(request);
            case FuseOpcode.GetAttr:
                request.Reply(new fuse_attr_out { attr_valid = ForEver, attr = AttributesOf(request.Node) });
                return Errno.None;
            case FuseOpcode.Open:
                return Open(request);
            case FuseOpcode.Release:
                return Release(request);
            case FuseOpcode.Forget or FuseOpcode.BatchForget:
                request.CompleteWithoutReply();
                return Errno.None;
            default:
                return Errno.ENOSYS;
        }
    }

    private Errno Init(FuseRequest request)
    {
        FuseRequestReader reader = new(request);
        if (!reader.TryRead(out fuse_init_in offer))
        {
            return Errno.EPROTO;
        }

        const FuseInitFlags Wanted = FuseInitFlags.InitExt | FuseInitFlags.Passthrough;
        FuseInitFlags granted = (FuseInitFlags)(offer.flags | ((ulong)offer.flags2 << 32)) & Wanted;
        _canPass = granted == Wanted;
        request.Reply(new fuse_init_out
        {
            major = offer.major,
            minor = offer.minor,
            max_readahead = offer.max_readahead,
            flags = (uint)granted,
            flags2 = (uint)((ulong)granted >> 32),
            max_write = FuseLimits.PayloadBytesMax,
            time_gran = 1,
            max_stack_depth = StackDepth,
        });
        return Errno.None;
    }

    private Errno Lookup(FuseRequest request)
    {
        FuseRequestReader reader = new(request);
        if (!reader.TryReadEntryName(out EntryName name))
        {
            return reader.Error;
        }

        bool isNumber = Utf8Parser.TryParse(name.Bytes, out ulong node, out int read) && read == name.Length;
        if (!isNumber || !_opening.ContainsKey(node))
        {
            return Errno.ENOENT;
        }

        request.Reply(new fuse_entry_out { nodeid = node, attr_valid = ForEver, attr = AttributesOf(new NodeId(node)) });
        return Errno.None;
    }

    /// <summary>Here, for it takes CAP_SYS_ADMIN, which threads that serve guests give up.</summary>
    private Errno Open(FuseRequest request)
    {
        if (!_canPass || !_opening.TryGetValue(request.Node.Value, out int fd))
        {
            return _canPass ? Errno.ENOENT : Errno.EOPNOTSUPP;
        }

        int backing = Libc.FuseDeviceControl(_mount.Fd, IoctlFlags.FUSE_DEV_IOC_BACKING_OPEN, new fuse_backing_map { fd = fd });
        if (backing < 0)
        {
            return backing.ToErrno();
        }

        request.Reply(new fuse_open_out
        {
            fh = (ulong)backing,
            open_flags = (uint)FuseOpenReplyFlags.Passthrough,
            backing_id = backing,
        });
        return Errno.None;
    }

    /// <summary>Not before: who opens looks the number up when it has got the reply, whenever that is.</summary>
    private Errno Release(FuseRequest request)
    {
        FuseRequestReader reader = new(request);
        if (reader.TryRead(out fuse_release_in arguments))
        {
            _ = Libc.FuseDeviceControl(_mount.Fd, IoctlFlags.FUSE_DEV_IOC_BACKING_CLOSE, (uint)arguments.fh);
        }

        request.ReplySuccess();
        return Errno.None;
    }

    private static fuse_attr AttributesOf(NodeId node) => new()
    {
        ino = node.Value,
        size = node == NodeId.Root ? 0 : FileBytes,
        mode = node == NodeId.Root ? StatFlags.S_IFDIR | 0x1ED : FileMode,
        nlink = 1,
        blksize = 4096,
    };

    [LoggerMessage(Level = LogLevel.Critical, Message = "Lending files to VMMs failed in a way that it must not; no more are lent")]
    private static partial void LogFault(ILogger log, Exception fault);
}
