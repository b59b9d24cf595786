using Coherency.Bench.Measurement;
using Coherency.Core.Versioning;
using Coherency.Guest;
using Coherency.Guest.VhostUser;

namespace Coherency.Bench.Contenders;

/// <summary>A contender's running daemon, or daemons, with the guests that are connected to it.</summary>
internal sealed class ContenderSession : IDisposable
{
    private readonly List<DaemonProcess> _daemons = [];
    private readonly List<VirtioFsGuest> _guests = [];

    /// <param name="share">The directory that is shared.</param>
    /// <param name="sockets">A directory of the contender's own, for sockets and version tables.</param>
    /// <param name="slots">Requests in flight per queue, at most.</param>
    /// <exception cref="IOException">A daemon did not start, or refused a guest.</exception>
    public ContenderSession(Contender contender, Topology topology, string share, string sockets, int slots, WaitPolicy wait)
    {
        Contender = contender;
        Topology = topology;
        string[] paths = [.. Enumerable.Range(0, topology.Guests).Select(guest => Path.Combine(sockets, $"sock{guest}"))];
        try
        {
            StartDaemons(paths, share);
            FrontendOptions frontend = new() { RequestQueues = topology.Queues, MemoryBytes = MemoryOf(topology.Queues * slots) };
            FuseConnectionOptions fuse = new() { SlotsPerQueue = slots, Wait = wait };
            Array.ForEach(paths, path => _guests.Add(VirtioFsGuest.Connect(path, frontend, fuse)));
            Attach();

            // A virtiofsd serves from a child that it starts when its guest connects.
            ProcessIds = [.. _daemons.SelectMany(daemon => ProcessUsage.FindTree(daemon.ProcessId))];
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public Contender Contender { get; }

    public Topology Topology { get; }

    /// <summary>The commands as they were run.</summary>
    public IReadOnlyList<string> Commands => [.. _daemons.Select(daemon => daemon.Command)];

    /// <summary>The processes of all daemons.</summary>
    public IReadOnlyCollection<int> ProcessIds { get; } = [];

    public IReadOnlyList<VirtioFsGuest> Guests => _guests;

    public void Dispose()
    {
        _guests.ForEach(guest => guest.Dispose());
        _daemons.ForEach(daemon => daemon.Dispose());
    }

    private void StartDaemons(string[] paths, string share)
    {
        string command = Contender.Command.Replace("{queues}", $"{Topology.Queues}", StringComparison.Ordinal);
        if (Contender.ServesManyGuests)
        {
            string guests = string.Join(' ', paths.Select((path, guest) => $"--guest \"bench{guest}={path}\""));
            _daemons.Add(DaemonProcess.Start(command.Replace("{guests}", guests, StringComparison.Ordinal), paths[0], share));
        }
        else
        {
            Array.ForEach(paths, path => _daemons.Add(DaemonProcess.Start(command, path, share)));
        }
    }

    /// <summary>From then on the daemon moves slots of each guest's table when another one changes something.</summary>
    private void Attach()
    {
        foreach (VirtioFsGuest guest in Contender.Attaches ? _guests : [])
            guest.Fuse.GetXattr(NodeId.Root, VersionTableLayout.AttachAttribute);
    }

    /// <summary>Guest memory for so many slots, each with its data, and for the rings; pages that nobody touches cost nothing.</summary>
    private static long MemoryOf(int slots)
    {
        const long SlotBytes = (1 << 20) + (64 << 10);
        const long Rest = 64 << 20;
        return (slots * SlotBytes) + Rest;
    }
}
