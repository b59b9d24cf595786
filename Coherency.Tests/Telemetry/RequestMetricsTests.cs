using Coherency.Core.Fuse;
using Coherency.Core.Linux;
using Coherency.Core.Versioning;
using Coherency.Guest;
using Coherency.Guest.Coherence;
using Coherency.Guest.Files;
using Coherency.Guest.Fuse;
using Coherency.Tests.Coherence;

namespace Coherency.Tests.Telemetry;

/// <summary>The metrics of a served guest are the numbers of what it did.</summary>
[Collection(TelemetryBed.OneAtATime)]
public sealed class RequestMetricsTests : IDisposable
{
    private const string OfGuestA = "coherency_guest=\"a\"";
    private const string Lookup = "fuse_operation=\"LOOKUP\"";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly TelemetryBed _bed = new();

    public void Dispose() => _bed.Dispose();

    [Fact]
    public void So_many_lookups_are_so_many_everywhere()
    {
        const int Count = 123;
        File.WriteAllText(Path.Combine(_bed.Share, "file"), "text");
        using (VirtioFsGuest guest = _bed.Connect(TelemetryBed.GuestA))
        {
            for (int i = 0; i < Count; i++)
            {
                guest.Fuse.Lookup(NodeId.Root, "file"u8);
            }
        }

        MetricsText metrics = ScrapeWhen(text => text.Sum("coherency_fuse_requests_total", OfGuestA, Lookup) >= Count);
        Assert.Equal(Count, metrics.Sum("coherency_fuse_requests_total", OfGuestA, Lookup));
        Assert.Equal(Count, metrics.Sum("coherency_fuse_request_duration_seconds_count", OfGuestA, Lookup));
        Assert.Equal(Count, metrics.Sum("coherency_fuse_request_duration_seconds_bucket", OfGuestA, Lookup, "le=\"+Inf\""));
        Assert.Equal(0, metrics.Sum("coherency_fuse_active_requests", OfGuestA, Lookup));
        Assert.False(metrics.Has("coherency_fuse_requests_total", "coherency_guest=\"b\""));
        // The sum of the durations is exact, so it is that of the counters, to the rounding.
        double seconds = _bed.Server.Endpoints[0].Session.Counters.Read(FuseOpcode.Lookup).Durations.Nanoseconds.Sum() / 1e9;
        Assert.Equal(seconds, metrics.Sum("coherency_fuse_request_duration_seconds_sum", OfGuestA, Lookup), 1e-9);
        Assert.InRange(seconds, 1e-7 * Count, Patience.TotalSeconds);
    }

    [Fact]
    public void A_failure_is_counted_by_its_error()
    {
        const int Count = 5;
        using (VirtioFsGuest guest = _bed.Connect(TelemetryBed.GuestA))
        {
            for (int i = 0; i < Count; i++)
            {
                Assert.Throws<FuseException>(() => guest.Fuse.RmDir(NodeId.Root, "no such directory"u8));
            }
        }

        MetricsText metrics = ScrapeWhen(text => text.Sum("coherency_fuse_requests_total", "fuse_operation=\"RMDIR\"") >= Count);
        Assert.Equal(Count, metrics.Sum("coherency_fuse_requests_total", OfGuestA, "fuse_operation=\"RMDIR\"", "error_type=\"ENOENT\""));
        Assert.Equal(Count, metrics.Sum("coherency_fuse_requests_total", OfGuestA, "fuse_operation=\"RMDIR\""));
    }

    [Fact]
    public void Bytes_are_those_that_were_moved()
    {
        using (VirtioFsGuest guest = _bed.Connect(TelemetryBed.GuestA))
        {
            using GuestFile file = guest.Files.CreateFile("/file");
            guest.Fuse.Write(file.Node, file.Handle, 0, new byte[10_000]);
            // Reads beyond the end return less than was asked for.
            guest.Fuse.Read(file.Node, file.Handle, 8_000, new byte[4_096]);
        }

        MetricsText metrics = new(_bed.Scrape());
        Assert.Equal(10_000, metrics.Sum("coherency_fuse_io_bytes_total", OfGuestA, "fuse_io_direction=\"write\""));
        Assert.Equal(2_000, metrics.Sum("coherency_fuse_io_bytes_total", OfGuestA, "fuse_io_direction=\"read\""));
    }

    [Fact]
    public async Task A_lock_that_is_waited_for_is_on_its_way_until_it_comes()
    {
        const string Wait = "fuse_operation=\"SETLKW\"";
        using VirtioFsGuest guest = _bed.Connect(TelemetryBed.GuestA);
        using GuestFile holder = guest.Files.CreateFile("/file");
        using GuestFile waiter = guest.Files.Open("/file");
        holder.Lock();
        Task waiting = Task.Run(() => waiter.Lock());
        MetricsText metrics = ScrapeWhen(text => text.Sum("coherency_fuse_active_requests", Wait) == 1);
        Assert.Equal(1, metrics.Sum("coherency_fuse_requests_total", Wait));
        Assert.Equal(1, metrics.Sum("coherency_virtio_queue_depth", OfGuestA, "coherency_queue_state=\"in_flight\""));
        holder.Unlock();
        await waiting.WaitAsync(Patience);
        metrics = ScrapeWhen(text => text.Sum("coherency_fuse_active_requests", Wait) == 0);
        Assert.Equal(2, metrics.Sum("coherency_fuse_requests_total", Wait));
        Assert.Equal(2, metrics.Sum("coherency_fuse_request_duration_seconds_count", Wait));
    }

    [Fact]
    public void Slots_are_counted_for_who_moved_them()
    {
        using VirtioFsGuest writer = _bed.Connect(TelemetryBed.GuestA);
        using VirtioFsGuest reader = _bed.Connect(TelemetryBed.GuestB);
        using VersionTableReader table = VersionTableReader.Open(_bed.TableOf(TelemetryBed.GuestB));
        using CoherentCache cache = CoherentCache.Attach(reader.Fuse, table);
        writer.Fuse.MkDir(NodeId.Root, "directory"u8, 0x1ED);
        using (HostProgram host = new(_bed.Share))
        {
            host.Run("os.mkdir('by the host')");
        }


        // MKDIR moves the name and its directory, of the other guest.
        MetricsText metrics = ScrapeWhen(text => text.Sum("coherency_table_moves_total", "coherency_actor=\"host:\"") > 0
            && text.Sum("coherency_table_moves_total", "coherency_actor=\"a\"") > 0
            && text.Sum("coherency_watcher_delay_seconds_count") > 0);
        Assert.Equal(2, metrics.Sum("coherency_table_moves_total", "coherency_actor=\"a\"", "fuse_operation=\"MKDIR\""));
        Assert.Equal(1, metrics.Sum("coherency_table_attached", "coherency_guest=\"b\""));
        Assert.Equal(1, metrics.Sum("coherency_table_epoch_moves_total", "coherency_guest=\"b\"", "coherency_reason=\"attach\""));
        Assert.InRange(metrics.Sum("coherency_table_heartbeat_age_seconds", "coherency_guest=\"b\""), 0, 2);
        Assert.False(metrics.Has("coherency_table_heartbeat_age_seconds", "coherency_guest=\"a\""));
        Assert.True(metrics.Sum("coherency_watcher_delay_seconds_sum") > 0);
        Assert.Equal(1, metrics.Sum("coherency_watcher_alive"));
    }

    [Fact]
    public void What_a_guest_keeps_of_descriptors_is_told()
    {
        using VirtioFsGuest guest = _bed.Connect(TelemetryBed.GuestA);
        File.WriteAllText(Path.Combine(_bed.Share, "held"), "text");
        NodeId file = new(guest.Fuse.Lookup(NodeId.Root, "held"u8).nodeid);
        double before = Kept();
        guest.Fuse.Open(file, OpenFlags.O_RDONLY);
        Assert.Equal(before + 1, Kept());

        double Kept() => new MetricsText(_bed.Scrape()).Sum("coherency_descriptors_kept", OfGuestA);
    }

    [Fact]
    public void What_is_taken_up_and_what_guests_hold_is_told()
    {
        using VirtioFsGuest guest = _bed.Connect(TelemetryBed.GuestA);
        (long held, long stale) = _bed.MakeStale(guest);
        Assert.True(held >= 2 && stale >= 1, $"{held} held, {stale} stale");
        MetricsText metrics = new(_bed.Scrape());
        Assert.True(metrics.Sum("coherency_inodes") >= 1);
        Assert.InRange(metrics.Sum("coherency_descriptors"), 1, metrics.Sum("coherency_descriptors_limit"));
        Assert.Equal(held, metrics.Sum("coherency_held_entries", OfGuestA));
        Assert.Equal(stale, metrics.Sum("coherency_stale_entries", OfGuestA));
        Assert.True(metrics.Sum("dotnet_process_memory_working_set_bytes") > 0);
        Assert.True(metrics.Has("dotnet_gc_collections_total"));
        Assert.True(metrics.Sum("dotnet_thread_pool_thread_count_total") > 0);
        Assert.True(metrics.Has("target_info", "service_name=\"coherencyd\""));
    }

    private MetricsText ScrapeWhen(Func<MetricsText, bool> holds)
    {
        MetricsText? metrics = null;
        Assert.True(SpinWait.SpinUntil(() => holds(metrics = new MetricsText(_bed.Scrape())), Patience), _bed.Scrape());
        return metrics!;
    }
}
