using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Host.Coherence;
using Coherency.Host.Coherence.Events;
using Coherency.Host.Coherence.Holdings;
using Coherency.Host.Faults;
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
    private readonly LockWaits _lockWaits;
    private readonly RetryQueue _retries;
    private readonly ILogger _log;
    private readonly Lock _stateLock = new();
    private readonly LogLimit _malformed = new();
    private readonly LogLimit _faults = new();
    private readonly LogLimit _initLog = new();
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
        Func<IFileSystem> openFileSystem, SessionOptions options, LockWaits lockWaits, ILogger log, TableView? view = null,
        HeldEntries? held = null)
    {
        _openFileSystem = openFileSystem;
        _options = options;
        _lockWaits = lockWaits;
        _retries = new RetryQueue(this, lockWaits);
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
    /// Carries one received request out. It is answered when this returns, except for one that has to wait for a lock, or is tried again
    /// later.
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
        Conversation? conversation = _conversation;
        Errno error = DispatchGuarded(request, conversation);
        bool isRetried = error == Errno.ERESTART;
        if (isRetried)
        {
            error = _retries.Park(request, conversation);
        }

        if (error != Errno.None)
        {
            request.ReplyError(error);
        }

        // One that has not failed may wait still, or has been counted when it was answered.
        bool mayWait = isRetried || opcode is FuseOpcode.SetLkw or FuseOpcode.SetupMapping;
        if (Counters.MeasuresRequests && (!mayWait || error != Errno.None))
        {
            recorder.Finish(opcode, node, arrivedAt, error);
        }
    }

    /// <summary>Carries a request out that had to wait; ERESTART when it has to wait on, otherwise it is answered.</summary>
    /// <param name="conversation">The one that it belongs to, which may have ended.</param>
    internal Errno TryAgain(FuseRequest request, Conversation? conversation)
    {
        FuseOpcode opcode = request.Opcode;
        NodeId node = request.Node;
        long arrivedAt = request.ArrivedAt;
        Errno error = DispatchGuarded(request, conversation);
        if (error is not (Errno.None or Errno.ERESTART))
        {
            request.ReplyError(error);
        }

        if (error != Errno.ERESTART)
        {
            Counters.FinishWait(opcode, node, arrivedAt, error);
        }

        return error;
    }

    /// <summary>Answers a request that does not wait any more, without anything but <paramref name="result"/>.</summary>
    internal void EndWait(FuseRequest request, Errno result)
    {
        Counters.FinishWait(request, result);
        if (result == Errno.None)
        {
            request.ReplySuccess();
        }
        else
        {
            request.ReplyError(result);
        }
    }

    /// <summary>Gives up the requests of a channel that wait: its queue stops.</summary>
    internal void CancelWaits(FuseChannel channel)
    {
        _retries.CancelAll(channel);
        _subscriber?.Cancel(channel);
        _mapped?.Cancel(channel);
    }

    /// <summary>
    /// A fault of the daemon must not end every guest's session: the request fails, unless it was answered before, and the log has
    /// the trace.
    /// </summary>
    private Errno DispatchGuarded(FuseRequest request, Conversation? conversation)
    {
        FuseOpcode opcode = request.Opcode;
        uint generation = request.Generation;
        try
        {
            return Dispatch(request, conversation);
        }
        catch (Exception unexpected)
        {
            if (_faults.Allows(out long unsaid))
            {
                LogUnexpected(_log, unexpected, opcode, unsaid);
            }

            return request.IsUnanswered(generation) ? Errno.EIO : Errno.None;
        }
    }

    /// <summary>A thread that works for the session has failed in a way that it must not.</summary>
    internal void LogFault(Exception unexpected)
    {
        if (_faults.Allows(out long unsaid))
        {
            LogThreadFault(_log, unexpected, unsaid);
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
        _retries.Dispose();
        _held?.Dispose();
    }

    /// <summary>Exchanges the conversation in one step: of two that begin at once, the first is ended by the second.</summary>
    private void Replace(Func<IFileSystem>? open, uint protocolMinor)
    {
        Conversation? ended;
        EventSubscriber? listener;
        MappedRanges? mapped;
        lock (_stateLock)
        {
            ObjectDisposedException.ThrowIf(_disposed && open is not null, this);
            // The next client has not attached.
            _view?.Detach();
            _cacheReport = null;
            ended = _conversation;
            listener = TakeSubscriber();
            mapped = _mapped;
            _mapped = null;
            _lockWaits.Forget(this);
            _conversation = open is null ? null : new Conversation(Open(open), _lockWaits);
            _held?.Begin(_conversation?.Files);
            ProtocolMinor = protocolMinor;
        }

        _retries.CancelAll();
        Unsubscribe(listener);
        mapped?.EndAll();
        ended?.Release();
    }

    private IFileSystem Open(Func<IFileSystem> open)
    {
        IFileSystem files = open();
        if (_granted.HasFlag(FuseInitFlags.Submounts))
        {
            files.ShowMounts();
        }

        BeginMapping(files);

        return files;
    }

    /// <summary>
    /// One line per operation. A method that returns <see cref="Errno.None"/> has replied (or parked the request); any other
    /// value is the reply.
    /// </summary>
    private Errno Dispatch(FuseRequest request, Conversation? conversation)
    {
        if (request.Opcode == FuseOpcode.Init)
        {
            return Init(request);
        }

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
        FuseOpcode.SetupMapping => SetupMapping(request, files),
        FuseOpcode.RemoveMapping => RemoveMapping(request),
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

    [LoggerMessage(
        Level = LogLevel.Warning, Message = "Refused a malformed request with {Error}: {Problem} ({Unsaid} more since the last line)")]
    private static partial void LogMalformed(ILogger log, string problem, Errno error, long unsaid);

    [LoggerMessage(Level = LogLevel.Critical, Message = "{Opcode} failed in a way that it must not ({Unsaid} more since the last line)")]
    private static partial void LogUnexpected(ILogger log, Exception unexpected, FuseOpcode opcode, long unsaid);

    [LoggerMessage(Level = LogLevel.Critical, Message = "A thread failed in a way that it must not ({Unsaid} more since the last line)")]
    private static partial void LogThreadFault(ILogger log, Exception unexpected, long unsaid);

    /// <summary>The file system of one conversation, counted: the last of its running requests disposes it.</summary>
    internal sealed class Conversation(IFileSystem files, LockWaits lockWaits)
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
                lockWaits.LocksMayBeFree();
            }
        }
    }
}
