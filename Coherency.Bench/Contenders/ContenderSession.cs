using Coherency.Bench.Measurement;
using Coherency.Bench.Workloads;
using Coherency.Guest;
using Coherency.Guest.Daemons;
using Coherency.Guest.Fuse;
using Coherency.Guest.VhostUser;

namespace Coherency.Bench.Contenders;

/// <summary>A running daemon with its own directory and a guest connected to it.</summary>
public sealed class ContenderSession : IDisposable
{
    private readonly DaemonProcess _daemon;
    private readonly VirtioFsGuest _guest;

    /// <param name="directory">Of the session's own: the share and the socket are made in it.</param>
    /// <param name="inodes">Files for the memory row to make in the share.</param>
    public ContenderSession(Contender contender, string directory, int inodes, WaitPolicy wait)
    {
        Contender = contender;
        string share = Directory.CreateDirectory(Path.Combine(directory, "share")).FullName;
        BenchTree.LayOut(share);
        BenchTree.LayOutInodes(share, inodes);
        _daemon = DaemonProcess.Start(contender.Command, Path.Combine(directory, "sock"), share);
        try
        {
            _guest = VirtioFsGuest.Connect(_daemon.SocketPath, new FrontendOptions { RequestQueues = 0 }, new FuseConnectionOptions { Wait = wait });
            ProcessIds = ProcessUsage.FindTree(_daemon.ProcessId);
        }
        catch
        {
            _daemon.Dispose();
            throw;
        }
    }

    public Contender Contender { get; }

    /// <summary>The command as it was run.</summary>
    public string Command => _daemon.Command;

    /// <summary>The daemon's processes.</summary>
    public IReadOnlyCollection<int> ProcessIds { get; }

    /// <summary>What the daemon printed.</summary>
    public IReadOnlyCollection<string> Log => _daemon.Log;

    public FuseClient Fuse => _guest.Fuse;

    /// <summary>The queue that is measured: one, since a peer has no more.</summary>
    public RequestQueue Queue => _guest.Connection.RequestQueues[0];

    public void Dispose()
    {
        _guest.Dispose();
        _daemon.Dispose();
    }
}
