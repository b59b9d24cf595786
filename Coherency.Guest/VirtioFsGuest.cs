using Coherency.Guest.Files;
using Coherency.Guest.Fuse;
using Coherency.Guest.VhostUser;

namespace Coherency.Guest;

/// <summary>
/// A virtio-fs guest without a virtual machine: connects to a daemon's socket, brings the device up and opens a FUSE session.
/// A process can hold many.
/// </summary>
public sealed class VirtioFsGuest : IDisposable
{
    private readonly FuseConnectionOptions _fuseOptions;
    private bool _hasEnded;

    private VirtioFsGuest(VhostUserFrontend frontend, FuseConnectionOptions fuseOptions)
    {
        _fuseOptions = fuseOptions;
        Frontend = frontend;
        Connection = FuseConnection.Open(frontend, fuseOptions);
        Fuse = new FuseClient(Connection);
        Files = new GuestFileSystem(Fuse);
    }

    /// <summary>The device: features, memory, rings.</summary>
    public VhostUserFrontend Frontend { get; }

    /// <summary>The FUSE session: queues and what INIT agreed on.</summary>
    public FuseConnection Connection { get; private set; }

    /// <summary>One method per FUSE operation, as the guest's root.</summary>
    public FuseClient Fuse { get; private set; }

    /// <summary>Files by path, as the guest's root.</summary>
    public GuestFileSystem Files { get; private set; }

    /// <exception cref="IOException">Nobody listens at <paramref name="socketPath"/>, or the daemon refused the guest.</exception>
    public static VirtioFsGuest Connect(string socketPath, FrontendOptions? options = null, FuseConnectionOptions? fuseOptions = null)
    {
        VhostUserFrontend frontend = VhostUserFrontend.Connect(socketPath, options);
        try
        {
            frontend.Start();
            return new VirtioFsGuest(frontend, fuseOptions ?? new FuseConnectionOptions());
        }
        catch
        {
            frontend.Dispose();
            throw;
        }
    }

    /// <summary>Reboots without unmounting first: what was open or locked must be gone afterwards.</summary>
    public void Reboot()
    {
        Frontend.Restart();
        Connection = FuseConnection.Open(Frontend, _fuseOptions);
        Fuse = new FuseClient(Connection);
        Files = new GuestFileSystem(Fuse);
    }

    /// <summary>Disconnects without a goodbye, as when the VMM is killed.</summary>
    public void Kill()
    {
        _hasEnded = true;
        Frontend.Dispose();
    }

    /// <summary>Unmounts, takes the queues back, disconnects; nothing when that was done, or after <see cref="Kill"/>.</summary>
    public void Dispose()
    {
        // A goodbye would be written to memory that has gone.
        if (_hasEnded)
        {
            return;
        }

        _hasEnded = true;
        Connection.Dispose();
        try
        {
            Frontend.Stop();
        }
        catch (IOException)
        {
            // The daemon has gone before.
        }

        Frontend.Dispose();
    }
}
