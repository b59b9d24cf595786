using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Host.Coherence;
using Coherency.Host.Coherence.Holdings;
using Coherency.Host.Server.Statistics;
using Microsoft.Extensions.Logging;

namespace Coherency.Host.Server;

/// <summary>
/// One client's conversation: decodes each request, has the file system carry it out, and replies. Called by any number of
/// threads at a time. What the client holds lives in <see cref="IFileSystem"/> and ends with the conversation: at DESTROY, at
/// the next INIT (a guest that reboots says no goodbye) and at <see cref="Dispose"/>.
/// </summary>
public sealed partial class FuseSession : IDisposable
{
    private readonly Func<IFileSystem> _openFileSystem;
    private readonly SessionOptions _options;
    private readonly LockWaitQueue _lockWaits;
    private readonly ILogger _log;
    private readonly Lock _stateLock = new();
    private readonly LogLimit _malformed = new();
    private readonly TableView? _view;
    private readonly HeldEntries? _held;
    private readonly CachePolicy _displacedCache;
    private volatile CachePolicy _cache;
    private volatile Conversation? _conversation;
    private FuseInitFlags _granted;
    private FuseInitFlags _offered;
    private bool _disposed;

    /// <param name="openFileSystem">Makes the file system of a fresh conversation.</param>
    /// <param name="view">Lets the client cache for ever once it attaches to it; without one it never can.</param>
    /// <param name="held">Records what the client is given, taken over; its view is the one that the file system makes changes by.</param>
    public FuseSession(
        Func<IFileSystem> openFileSystem, SessionOptions options, LockWaitQueue lockWaits, ILogger log, TableView? view = null, HeldEntries? held = null)
    {
        _openFileSystem = openFileSystem;
        _options = options;
        _lockWaits = lockWaits;
        _log = log;
        _view = view;
        _held = held;
        _cache = options.Cache;
        _displacedCache = options.Cache.WithoutTimeouts();
    }

    /// <summary>Requests handled since the start.</summary>
    public RequestCounters Counters { get; } = new();

    /// <summary>The protocol's minor version that both sides speak; 0 before INIT.</summary>
    public uint ProtocolMinor { get; private set; }

    /// <summary>
    /// Carries one received request out. It is answered when this returns, except for a lock that has to be waited for.
    /// </summary>
    /// <param name="isPrivate">The client cannot change the request's memory any more.</param>
    /// <param name="recorder">The calling thread's.</param>
    public void Handle(FuseRequest request, bool isPrivate, RequestRecorder recorder)
    {
        if (Load(request, isPrivate))
        {
            Execute(request, recorder);
        }
    }

    /// <summary>The first half of <see cref="Handle"/>: false when the request was malformed and has been answered.</summary>
    public bool Load(FuseRequest request, bool isPrivate)
    {
        if (request.TryLoad(isPrivate, out Errno error, out string? problem))
        {
            return true;
        }

        Counters.CountMalformed();
        if (_malformed.Allows(out long unsaid))
        {
            LogMalformed(_log, problem!, error, unsaid);
        }

        request.ReplyError(error);
        return false;
    }

    /// <summary>The second half of <see cref="Handle"/>, on whichever thread.</summary>
    /// <param name="recorder">That thread's.</param>
    public void Execute(FuseRequest request, RequestRecorder recorder)
    {
        // Once it is answered, the request may be another one.
        FuseOpcode opcode = request.Opcode;
        NodeId node = request.Node;
        long arrivedAt = request.ArrivedAt;
        recorder.Begin(opcode);
        Errno error;
        try
        {
            error = Dispatch(request);
        }
        catch (Exception unexpected)
        {
            // A fault of the daemon must not end every guest's session: this request fails, and the log has the trace.
            LogUnexpected(_log, unexpected, opcode);
            error = Errno.EIO;
        }

        if (error != Errno.None)
        {
            request.ReplyError(error);
        }

        // A SETLKW that has not failed may wait still, or has been counted when it was answered.
        if (Counters.MeasuresRequests && (opcode != FuseOpcode.SetLkw || error != Errno.None))
        {
            recorder.Finish(opcode, node, arrivedAt, error);
        }
    }

    /// <summary>
    /// Ends the conversation, not the session: another INIT may follow. What the client held goes when the last request that
    /// still runs has ended.
    /// </summary>
    public void Reset()
    {
        Replace(null, 0);
        _malformed.Reset();
    }

    public void Dispose()
    {
        lock (_stateLock)
        {
            _disposed = true;
        }

        Reset();
        _held?.Dispose();
    }

    /// <summary>Exchanges the conversation in one step: of two that begin at once, the first is ended by the second.</summary>
    private void Replace(Func<IFileSystem>? open, uint protocolMinor)
    {
        Conversation? ended;
        lock (_stateLock)
        {
            ObjectDisposedException.ThrowIf(_disposed && open is not null, this);
            // The next client has not attached.
            _view?.Detach();
            _cacheReport = null;
            ended = _conversation;
            _conversation = open is null ? null : new Conversation(open());
            _held?.Begin(_conversation?.Files);
            ProtocolMinor = protocolMinor;
        }

        _lockWaits.CancelAll(this);
        ended?.Release();
        _lockWaits.LocksMayBeFree();
    }

    /// <summary>
    /// One line per operation. A method that returns <see cref="Errno.None"/> has replied (or parked the request); any other
    /// value is the reply.
    /// </summary>
    private Errno Dispatch(FuseRequest request)
    {
        if (request.Opcode == FuseOpcode.Init)
        {
            return Init(request);
        }

        Conversation? conversation = _conversation;
        if (conversation is null || !conversation.TryAcquire())
        {
            return DispatchWithoutConversation(request);
        }

        try
        {
            return Dispatch(request, conversation.Files);
        }
        finally
        {
            conversation.Release();
        }
    }

    private Errno Dispatch(FuseRequest request, IFileSystem files) => request.Opcode switch
    {
        FuseOpcode.Lookup => Lookup(request, files),
        FuseOpcode.Forget => Forget(request, files),
        FuseOpcode.BatchForget => BatchForget(request, files),
        FuseOpcode.GetAttr => GetAttr(request, files),
        FuseOpcode.Statx => Statx(request, files),
        FuseOpcode.SetAttr => SetAttr(request, files),
        FuseOpcode.Access => Access(request, files),
        FuseOpcode.StatFs => StatFs(request, files),
        FuseOpcode.ReadLink => ReadLink(request, files),
        FuseOpcode.Symlink => Symlink(request, files),
        FuseOpcode.MkNod => MkNod(request, files),
        FuseOpcode.MkDir => MkDir(request, files),
        FuseOpcode.Unlink => Unlink(request, files),
        FuseOpcode.RmDir => RmDir(request, files),
        FuseOpcode.Rename => Rename(request, files),
        FuseOpcode.Rename2 => Rename2(request, files),
        FuseOpcode.Link => Link(request, files),
        FuseOpcode.Open => Open(request, files),
        FuseOpcode.Create => Create(request, files),
        FuseOpcode.TmpFile => TmpFile(request, files),
        FuseOpcode.Read => Read(request, files),
        FuseOpcode.Write => Write(request, files),
        FuseOpcode.Flush => Flush(request, files),
        FuseOpcode.Release => Release(request, files),
        FuseOpcode.Fsync => Fsync(request, files),
        FuseOpcode.SyncFs => SyncFs(request, files),
        FuseOpcode.Fallocate => Fallocate(request, files),
        FuseOpcode.LSeek => LSeek(request, files),
        FuseOpcode.CopyFileRange or FuseOpcode.CopyFileRange64 => CopyFileRange(request, files),
        FuseOpcode.OpenDir => OpenDir(request, files),
        FuseOpcode.ReadDir => ReadDir(request, files, plus: false),
        FuseOpcode.ReadDirPlus => ReadDir(request, files, plus: true),
        FuseOpcode.ReleaseDir => ReleaseDir(request, files),
        FuseOpcode.FsyncDir => FsyncDir(request, files),
        FuseOpcode.GetXattr => GetXattr(request, files),
        FuseOpcode.SetXattr => SetXattr(request, files),
        FuseOpcode.ListXattr => ListXattr(request, files),
        FuseOpcode.RemoveXattr => RemoveXattr(request, files),
        FuseOpcode.GetLk => GetLk(request, files),
        FuseOpcode.SetLk => SetLk(request, files, wait: false),
        FuseOpcode.SetLkw => SetLk(request, files, wait: true),
        FuseOpcode.Interrupt => Interrupt(request),
        FuseOpcode.Destroy => Destroy(request),
        _ => Errno.ENOSYS,
    };

    private static Errno DispatchWithoutConversation(FuseRequest request)
    {
        if (request.Opcode is FuseOpcode.Forget or FuseOpcode.BatchForget)
        {
            request.CompleteWithoutReply();
            return Errno.None;
        }

        return Errno.EIO;
    }

    private Errno Destroy(FuseRequest request)
    {
        Reset();
        request.ReplySuccess();
        return Errno.None;
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Refused a malformed request with {Error}: {Problem} ({Unsaid} more since the last line)")]
    private static partial void LogMalformed(ILogger log, string problem, Errno error, long unsaid);

    [LoggerMessage(Level = LogLevel.Critical, Message = "{Opcode} failed in a way that it must not")]
    private static partial void LogUnexpected(ILogger log, Exception unexpected, FuseOpcode opcode);

    /// <summary>The file system of one conversation, counted: the last of its running requests disposes it.</summary>
    private sealed class Conversation(IFileSystem files)
    {
        private int _references = 1;

        public IFileSystem Files { get; } = files;

        public bool TryAcquire()
        {
            int seen = Volatile.Read(ref _references);
            while (seen > 0)
            {
                int found = Interlocked.CompareExchange(ref _references, seen + 1, seen);
                if (found == seen)
                {
                    return true;
                }

                seen = found;
            }

            return false;
        }

        public void Release()
        {
            if (Interlocked.Decrement(ref _references) == 0)
            {
                Files.Dispose();
            }
        }
    }
}
