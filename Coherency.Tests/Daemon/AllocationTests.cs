using System.Globalization;
using System.Text.RegularExpressions;
using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Guest;
using Xunit.Abstractions;

namespace Coherency.Tests.Daemon;

/// <summary>
/// A request allocates nothing, from the virtqueue to the file and back: a daemon that served many more requests has
/// allocated no more than one that served few.
/// </summary>
public sealed partial class AllocationTests(ITestOutputHelper output) : IDisposable
{
    private const int RequestsPerRound = 6;
    private const int FewRounds = 2_000;
    private const int ManyRounds = 22_000;

    /// <summary>The runtime's own threads allocate now and then: far less than the smallest object for each request.</summary>
    private const double BytesPerRequestAllowed = 0.5;

    private readonly DirectoryInfo _work = Directory.CreateTempSubdirectory("coherency-allocation-");

    public void Dispose() => _work.Delete(recursive: true);

    [Fact]
    public void A_request_allocates_nothing()
    {
        (long requests, long bytes) few = Serve(FewRounds);
        (long requests, long bytes) many = Serve(ManyRounds);
        long requests = many.requests - few.requests;
        double perRequest = (double)(many.bytes - few.bytes) / requests;
        output.WriteLine($"{perRequest:f4} bytes allocated per request over {requests} requests");
        Assert.True(requests >= (ManyRounds - FewRounds) * RequestsPerRound, $"only {requests} requests were counted");
        Assert.True(perRequest < BytesPerRequestAllowed, $"{perRequest:f2} bytes allocated per request");
    }

    private (long Requests, long Bytes) Serve(int rounds)
    {
        string share = _work.CreateSubdirectory("share").FullName;
        string socket = Path.Combine(_work.FullName, "a.sock");
        File.WriteAllBytes(Path.Combine(share, "file"), new byte[4096]);
        using RunningDaemon daemon = RunningDaemon.Start("serve", "--shared-dir", share, "--guest", $"a={socket}");
        using (VirtioFsGuest guest = VirtioFsGuest.Connect(socket))
        {
            for (int i = 0; i < rounds; i++)
            {
                Work(guest);
            }
        }

        Assert.Equal(0, daemon.Stop());
        Match said = StoppingLine().Match(daemon.Output);
        Assert.True(said.Success, daemon.Output);
        return (Number(said, 1), Number(said, 2));
    }

    private static void Work(VirtioFsGuest guest)
    {
        Span<byte> buffer = stackalloc byte[4096];
        NodeId node = new(guest.Fuse.Lookup(NodeId.Root, "file"u8).nodeid);
        guest.Fuse.GetAttr(node);
        FileHandle handle = new(guest.Fuse.Open(node, OpenFlags.O_RDWR).fh);
        guest.Fuse.Read(node, handle, 0, buffer);
        guest.Fuse.Write(node, handle, 0, buffer);
        guest.Fuse.Release(node, handle);
        guest.Fuse.Forget(node, 1);
    }

    private static long Number(Match match, int group) => long.Parse(match.Groups[group].Value, CultureInfo.InvariantCulture);

    [GeneratedRegex("after ([0-9]+) requests; ([0-9]+) bytes")]
    private static partial Regex StoppingLine();
}
