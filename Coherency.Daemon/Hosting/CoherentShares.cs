using Coherency.Core.Versioning;
using Coherency.Daemon.Configuration;
using Coherency.Host.Coherence;
using Coherency.Host.Passthrough;
using Coherency.Host.Server;

namespace Coherency.Daemon.Hosting;

/// <summary>What makes the shares of a process coherent: which belong together, and the tables of their guests.</summary>
internal sealed class CoherentShares : IDisposable
{
    private readonly List<TableView> _views = [];
    private Heartbeat? _heartbeat;

    public IReadOnlyList<TableView> Views => _views;

    /// <summary>The group of a share: that of every other one that reaches a file of its own.</summary>
    /// <param name="directories">Of all shares, in the order in which they will ask.</param>
    public static ShareGroup[] GroupOverlapping(IReadOnlyList<string> directories)
    {
        ShareTrees[] trees = [.. directories.Select(ShareTrees.Of)];
        ShareGroup[] groups = [.. trees.Select(_ => new ShareGroup())];
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
        TableView view = new(share.Group, VersionTableWriter.Open(ConfigurationFile.TablePathOf(configuration, guest), description));
        _views.Add(view);
        return view;
    }

    /// <summary>From here on readers may believe the tables.</summary>
    public void Start() => _heartbeat = new Heartbeat(_views, static () => true);

    /// <summary>After the last session has ended.</summary>
    public void Dispose()
    {
        _heartbeat?.Dispose();
        foreach (TableView view in _views)
        {
            view.Dispose();
        }
    }
}
