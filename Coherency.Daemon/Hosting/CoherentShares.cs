using System.Collections.Immutable;
using Coherency.Core.Versioning;
using Coherency.Core.Versioning.Abi;
using Coherency.Daemon.Configuration;
using Coherency.Host.Coherence;
using Coherency.Host.Coherence.Changes;
using Coherency.Host.Coherence.HostWatching;
using Coherency.Host.Passthrough;
using Coherency.Host.Server;
using Microsoft.Extensions.Logging;

namespace Coherency.Daemon.Hosting;

/// <summary>What makes the shares of a process coherent: which belong together, and the tables of their guests.</summary>
internal sealed partial class CoherentShares(ILogger log) : IDisposable
{
    /// <summary>
    /// Nobody begins to look at a guest's table, or at a share, once it has gone, but an administrator's call may still be at it. None
    /// takes nearly so long; memory and descriptors are given back after that.
    /// </summary>
    private static readonly TimeSpan RetiredFor = TimeSpan.FromMinutes(1);

    private readonly Lock _membership = new();
    private readonly Queue<IDisposable> _retired = [];
    private volatile TableView[] _views = [];
    private volatile ImmutableDictionary<PassthroughShare, HostWatcher> _watched = ImmutableDictionary<PassthroughShare, HostWatcher>.Empty;
    private Heartbeat? _heartbeat;

    /// <summary>What watches the shares for changes beside the daemon.</summary>
    public IEnumerable<HostWatcher> Watchers => _watched.Values;

    /// <summary>The group of a share: that of every other one that reaches a file of its own.</summary>
    /// <param name="directories">Of all shares, in the order in which they will ask.</param>
    /// <param name="writeChangesDown">So that what is stale can be explained.</param>
    public static ShareGroup[] GroupOverlapping(IReadOnlyList<string> directories, bool writeChangesDown = false)
    {
        ShareTrees[] trees = [.. directories.Select(ShareTrees.Of)];
        ShareGroup[] groups = [.. trees.Select(_ => new ShareGroup(writeChangesDown ? new ChangeLog() : null))];
        for (int i = 0; i < trees.Length; i++)
        {
            for (int j = 0; j < i; j++)
            {
                if (groups[i] != groups[j] && trees[i].Overlaps(trees[j]))
                {
                    ShareGroup merged = groups[j];
                    ShareGroup other = groups[i];
                    groups = [.. groups.Select(group => group == other ? merged : group)];
                }
            }
        }

        return groups;
    }

    /// <summary>The view of a guest; null when its cache mode has none.</summary>
    /// <exception cref="VersionTableException">The table's place cannot be used.</exception>
    public TableView? OpenView(PassthroughShare share, ShareConfiguration configuration, GuestConfiguration guest)
    {
        if (ConfigurationFile.CacheOf(configuration, guest) != CacheMode.Coherent)
        {
            return null;
        }

        VersionTableDescription description = new(
            ConfigurationFile.TagOf(configuration, guest), share.RootKey, configuration.TableSlots, Heartbeat.BoundMs);
        string path = ConfigurationFile.TablePathOf(configuration, guest);
        TableView view = new(share.Group, VersionTableWriter.Open(path, description)) { Name = guest.Name };
        if (view.Table.ReplacedBecause is { } problem)
        {
            LogReplaced(log, path, problem);
        }

        Add(view);
        return view;
    }

    /// <summary>The view of a guest that has none of its own, which nobody but the daemon looks at.</summary>
    public TableView OpenPrivateView(PassthroughShare share, ShareConfiguration configuration, GuestConfiguration guest)
    {
        VersionTableDescription description = new("private", share.RootKey, configuration.TableSlots, Heartbeat.BoundMs);
        TableView view = new(share.Group, VersionTableWriter.CreateAnonymous(description)) { Name = guest.Name };
        Add(view);
        return view;
    }

    /// <summary>Takes the view of a guest that has gone out of use; its table moves no more.</summary>
    public void Retire(TableView view)
    {
        Withdraw(view);
        // Its guest may come again before it is given back.
        view.Table.Release();
        RetireLast(view);
    }

    /// <summary>The same for a guest that has never come: nobody has seen it, and its table can be opened again at once.</summary>
    public void Discard(TableView view)
    {
        Withdraw(view);
        view.Dispose();
    }

    private void Withdraw(TableView view)
    {
        lock (_membership)
        {
            _views = [.. _views.Where(other => other != view)];
        }

        _heartbeat?.WaitForRound();
        view.Leave();
    }

    /// <summary>Takes a share out of use whose last guest has gone.</summary>
    public void Retire(PassthroughShare share)
    {
        HostWatcher? watcher = WatcherOf(share);
        lock (_membership)
        {
            _watched = _watched.Remove(share);
        }

        watcher?.Dispose();
        RetireLast(share);
    }

    /// <summary>Watches for changes beside the daemon that would make stale what somebody caches. Before the first session.</summary>
    public void Watch(PassthroughShare share)
    {
        HostWatcher watcher = new(share, share.Group, log);
        lock (_membership)
        {
            _watched = _watched.Add(share, watcher);
        }
    }

    /// <summary>What watches for changes beside the daemon; null when nobody caches what they would make stale.</summary>
    public HostWatcher? WatcherOf(PassthroughShare share) => _watched.GetValueOrDefault(share);

    /// <summary>From here on readers may believe the tables.</summary>
    public void Start() => _heartbeat = new Heartbeat(() => _views, CheckWatchers, fault => LogFault(log, fault));

    /// <summary>After the last session has ended.</summary>
    public void Dispose()
    {
        _heartbeat?.Dispose();
        foreach (HostWatcher watcher in _watched.Values)
        {
            watcher.Dispose();
        }

        foreach (TableView view in _views)
        {
            view.Dispose();
        }

        lock (_membership)
        {
            while (_retired.TryDequeue(out IDisposable? gone))
            {
                gone.Dispose();
            }
        }
    }

    private void Add(TableView view)
    {
        lock (_membership)
        {
            _views = [.. _views, view];
        }
    }

    private void RetireLast(IDisposable gone)
    {
        lock (_membership)
        {
            _retired.Enqueue(gone);
        }

        _ = DisposeOldestLaterAsync();
    }

    private async Task DisposeOldestLaterAsync()
    {
        await Task.Delay(RetiredFor).ConfigureAwait(false);
        lock (_membership)
        {
            if (_retired.TryDequeue(out IDisposable? gone))
            {
                gone.Dispose();
            }
        }
    }

    /// <summary>Tells a reader whether changes on the host are noticed, which can end while the share is in use.</summary>
    /// <returns>False when a watcher no longer works.</returns>
    private bool CheckWatchers(TableView view)
    {
        WatchState state = WatchState.Fanotify;
        bool isAlive = true;
        foreach ((PassthroughShare share, HostWatcher watcher) in _watched)
        {
            if (share.Group == view.Group)
            {
                state = watcher.State < state ? watcher.State : state;
                isAlive &= watcher.IsAlive;
            }
        }

        view.Table.Flags = state == WatchState.None ? VersionTableFlags.None : VersionTableFlags.HostWatched;
        return isAlive;
    }

    [LoggerMessage(
        Level = LogLevel.Critical,
        Message = "The heartbeat failed in a way that it must not; guests without it believe nothing that they have cached")]
    private static partial void LogFault(ILogger log, Exception fault);

    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "The version table {Path} was made anew: {Problem}. A guest that had it mapped has to mount again")]
    private static partial void LogReplaced(ILogger log, string path, string problem);
}
