using Coherency.Host.Coherence;
using Coherency.Host.Coherence.Changes;
using Coherency.Host.Passthrough;
using Xunit;

namespace Coherency.Tests.Passthrough;

/// <summary>A temporary directory, shared; gone when disposed.</summary>
internal sealed class TestShare : IDisposable
{
    private readonly List<TestGuest> _guests = [];

    /// <param name="parent">Where to make the directory: /tmp (a disk file system) or /dev/shm (tmpfs), for example.</param>
    public TestShare(Func<PassthroughOptions, PassthroughOptions>? configure = null, string parent = "/tmp")
    {
        Directory = System.IO.Path.Combine(parent, $"coherency-test-{Guid.NewGuid():N}");
        System.IO.Directory.CreateDirectory(Directory);
        PassthroughOptions options = new() { SharedDirectory = Directory, Budget = new DescriptorBudget(8192) };
        Share = new PassthroughShare(configure?.Invoke(options) ?? options);
    }

    public string Directory { get; }

    public PassthroughShare Share { get; }

    public DescriptorBudget Budget => Share.Options.Budget;

    public TestGuest OpenGuest(ShareView? view = null)
    {
        TestGuest guest = new(Share.OpenSession(view));
        _guests.Add(guest);
        return guest;
    }

    /// <summary>A guest that opens nothing and names files by node.</summary>
    public TestGuest OpenGuestWithoutOpens(ShareView? view = null)
    {
        TestGuest guest = OpenGuest(view);
        Assert.True(guest.Files.TryDoWithoutOpens());
        return guest;
    }

    public string Path(string name) => System.IO.Path.Combine(Directory, name);

    public void WriteFile(string name, string text = "text") => File.WriteAllText(Path(name), text);

    /// <summary>Descriptors of this process on a file of the share, also when it has been removed.</summary>
    public int DescriptorsOf(string name) => System.IO.Directory.GetFiles("/proc/self/fd").Count(fd => IsOn(Path(name), fd));

    private static bool IsOn(string path, string descriptor)
    {
        string? target = new FileInfo(descriptor).LinkTarget;
        return target == path || target == path + " (deleted)";
    }

    public static int OpenDescriptors => System.IO.Directory.GetFiles("/proc/self/fd").Length;

    public void Dispose()
    {
        foreach (TestGuest guest in _guests)
        {
            guest.Dispose();
        }

        Share.Dispose();
        System.IO.Directory.Delete(Directory, recursive: true);
    }
}
