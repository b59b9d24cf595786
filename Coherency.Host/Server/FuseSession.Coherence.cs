using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Core.Versioning;
using Coherency.Core.Versioning.Abi;
using Coherency.Host.Faults;
using Microsoft.Extensions.Logging;

namespace Coherency.Host.Server;

/// <summary>Whether the client consults the version table, and what it may cache then (docs/version-table.md, "Attaching").</summary>
public sealed partial class FuseSession
{
    private static readonly CachePolicy CoherentCache = CachePolicy.For(CacheMode.Coherent);

    private readonly LogLimit _attachLog = new();
    private CacheReport? _cacheReport;
    private long _cacheReports;

    /// <summary>The client takes EINTR for a wait that has become long, and goes on with another request.</summary>
    internal bool AsksAgain => _view is { IsAttached: true };

    private CachePolicy CacheOf(NodeId node)
    {
        if (node.IsDisplaced)
        {
            return _displacedCache;
        }

        return _view is { IsAttached: true } ? CoherentCache : _cache;
    }

    /// <param name="withoutOpens">The client can do without OPEN and OPENDIR.</param>
    private static bool IsAttachHandshake(FuseRequest request, EntryName attribute, out bool withoutOpens)
    {
        withoutOpens = attribute.Bytes.SequenceEqual(VersionTableLayout.AttachWithoutOpensAttribute);
        return request.Node == NodeId.Root && (withoutOpens || attribute.Bytes.SequenceEqual(VersionTableLayout.AttachAttribute));
    }

    /// <summary>What the client said last of its caches; null before it said anything, or when it is another client.</summary>
    public CacheReport? CacheReport => Volatile.Read(ref _cacheReport);

    /// <summary>Such reports since the start. They are requests, but not for anything that the client wants to know.</summary>
    public long CacheReports => Volatile.Read(ref _cacheReports);

    /// <summary>A report is answered with ENODATA, as there is no such attribute.</summary>
    private bool TakeReport(FuseRequest request, IFileSystem files, EntryName attribute)
    {
        if (request.Node != NodeId.Root || _view is not { IsAttached: true }
            || !Server.CacheReport.IsReport(attribute.Bytes, out CacheReport? report))
        {
            return false;
        }

        lock (_stateLock)
        {
            // Its client may be gone, and the next one has said nothing yet.
            if (_conversation?.Files == files)
            {
                _cacheReport = report;
            }
        }

        Interlocked.Increment(ref _cacheReports);
        return true;
    }

    /// <param name="reply">Empty when the client only asks how long the answer is.</param>
    private Errno Attach(IFileSystem files, bool withoutOpens, Span<byte> reply, out int length)
    {
        length = Unsafe.SizeOf<coherency_attach>();
        if (_view is null)
        {
            return Errno.ENODATA;
        }

        if (reply.Length < length)
        {
            return reply.IsEmpty ? Errno.None : Errno.ERANGE;
        }

        bool wasAttached = _view.IsAttached;
        if (!_view.TryAttach(out coherency_attach attach))
        {
            return Errno.EAGAIN;
        }

        lock (_stateLock)
        {
            if (_conversation?.Files != files)
            {
                // Its client is gone; the one that came after it has to attach itself.
                _view.Detach();
                return Errno.EIO;
            }
        }

        attach.flags = withoutOpens ? (uint)DoWithoutOpens(files) : 0;
        // SAFETY: the reply was found above to have room for it.
        MemoryMarshal.Write(reply, attach);
        if (!wasAttached && _attachLog.Allows(out long unsaid))
        {
            LogAttached(_log, unsaid);
        }

        return Errno.None;
    }

    private Errno Detach(IFileSystem files)
    {
        if (_view is null)
        {
            return Errno.ENODATA;
        }

        bool wasAttached;
        lock (_stateLock)
        {
            wasAttached = _conversation?.Files == files && _view.Detach();
            if (wasAttached)
            {
                _lockWaits.Forget(this);
            }
        }

        EndEvents(files);

        if (wasAttached && _attachLog.Allows(out long unsaid))
        {
            LogDetached(_log, unsaid);
        }

        return Errno.None;
    }

    /// <summary>
    /// The client's machine was stopped, or goes on from there: nothing that it cached before is believed. Both, for a VMM may let
    /// it run before the daemon has read that, and it may stop without saying so.
    /// </summary>
    public void Interrupt()
    {
        // Its processes may wait for other locks than those that it has asked for.
        _lockWaits.Forget(this);
        TellLock(default);
        if (_view?.Interrupt() == true && _attachLog.Allows(out long unsaid))
        {
            LogInterrupted(_log, unsaid);
        }
    }

    [LoggerMessage(
        Level = LogLevel.Information,
        Message = "The virtual machine was stopped or goes on: the client asks for everything anew ({Unsaid} more lines of this kind " +
            "were left out)")]
    private static partial void LogInterrupted(ILogger log, long unsaid);

    [LoggerMessage(
        Level = LogLevel.Information,
        Message = "Client consults the version table: it may cache for ever ({Unsaid} more lines of this kind were left out)")]
    private static partial void LogAttached(ILogger log, long unsaid);

    [LoggerMessage(
        Level = LogLevel.Information,
        Message = "Client no longer consults the version table ({Unsaid} more lines of this kind were left out)")]
    private static partial void LogDetached(ILogger log, long unsaid);
}
