using Coherency.Guest.VirtualMachines;
namespace Coherency.Tests.Vm;

/// <summary>A vhost-user-fs daemon that shares one directory with several guests, each on its own socket.</summary>
public abstract class SharingDaemon(string sharedDirectory, string workFolder) : IAsyncDisposable
{
    public const string Tag = "share";

    protected static readonly TimeSpan StartTimeout = TimeSpan.FromSeconds(20);

    public string SharedDirectory { get; } = sharedDirectory;

    public abstract bool IsRunning { get; }

    /// <summary>What the daemon has printed.</summary>
    public abstract string Output { get; }

    /// <summary>
    /// Starts the daemon that COHERENCY_VM_DAEMON names: coherencyd (the default) or virtiofsd, QEMU's own C
    /// daemon, with which the tests themselves can be tested.
    /// </summary>
    public static async Task<SharingDaemon> StartAsync(
        string sharedDirectory, string workFolder, IReadOnlyList<string> guests)
    {
        switch (Environment.GetEnvironmentVariable("COHERENCY_VM_DAEMON"))
        {
            case null or "" or "coherencyd":
                return await CoherencydProcess.LaunchAsync(sharedDirectory, workFolder, guests);
            case "virtiofsd":
                return new VirtiofsdProcess(VirtualMachineImage.Stable.Virtiofsd, sharedDirectory, workFolder);
            case var unknown:
                throw new InvalidOperationException($"COHERENCY_VM_DAEMON: no daemon is called {unknown}");
        }
    }

    public string SocketOf(string guest) => Path.Combine(workFolder, guest + ".daemon");

    /// <summary>Sees to it that the daemon listens on a guest's socket before QEMU connects to it.</summary>
    public abstract Task PrepareForGuestAsync(string guest);

    public abstract ValueTask DisposeAsync();
}
