using Coherency.Core.Fuse;
using Coherency.Core.Versioning;
using Coherency.Daemon.Configuration;
using Coherency.Guest;
using Coherency.Guest.Coherence;
using Coherency.Guest.VirtualMachines;
using Coherency.Host.Server;
using Coherency.Tests.Vm;

namespace Coherency.Tests.Oracle;

/// <summary>What the share of a bed lies on, and who caches it how.</summary>
/// <param name="Image">Of both guests.</param>
/// <param name="FileSystem">ext4, xfs or tmpfs.</param>
internal sealed record OracleSettings(VirtualMachineImage Image, FileSystemDevice Device, string FileSystem = "ext4")
{
    public CacheMode Cache { get; init; } = CacheMode.Coherent;

    /// <summary>Bits of enum coherency_rule in guest/linux: what the guests' module leaves out.</summary>
    public uint RulesOff { get; init; }

    public IReadOnlyList<Client> Clients { get; init; } = Enum.GetValues<Client>();

    public bool IsCoherent => Cache == CacheMode.Coherent;
}

/// <summary>
/// A share on a file system of its own with all its clients, and another such file system with none: a schedule is carried out in
/// both at once, call by call.
/// </summary>
internal sealed class OracleBed : IAsyncDisposable
{
    private const string FirstGuest = "a";
    private const string SecondGuest = "b";
    private const string StockGuest = "stock";
    private const string StockMountPoint = "/stock";
    private const string Sentinel = "sentinel";

    /// <summary>Of the executor on the host: it only makes changes of the sentinel.</summary>
    private const int SentinelProcess = 63;

    private static readonly TimeSpan WatchPatience = TimeSpan.FromSeconds(60);

    private static readonly string[] Protections = ["protected_symlinks", "protected_hardlinks", "protected_fifos", "protected_regular"];

    private readonly OracleSettings _settings;
    private readonly string _work = Directory.CreateTempSubdirectory("coherency-oracle-").FullName;
    private readonly List<IDisposable> _disposables = [];
    private readonly List<VirtualMachine> _machines = [];
    private readonly Dictionary<Client, (ICallExecutor Executor, string Root)> _clients = [];
    private CallExecutor? _reference;
    private CallExecutor? _onHost;
    private CoherentServer? _server;
    private VersionTableReader? _table;
    private SlotKey _sentinel;
    private int _rounds;
    private Version _guestKernel = new();

    private OracleBed(OracleSettings settings) => _settings = settings;

    /// <summary>How often answers differed for each reason of <see cref="ByDesign"/>.</summary>
    public Dictionary<string, int> DifferencesByDesign { get; } = [];

    public long CallsMade { get; private set; }

    private string Share => Path.Combine(_work, "shared");

    private string Reference => Path.Combine(_work, "reference");

    private string HostMount => Path.Combine(_work, "mount");

    private IEnumerable<ICallExecutor> Executors => _clients.Values.Select(client => client.Executor).Distinct().Append(_reference!);

    public static async Task<OracleBed> StartAsync(OracleSettings settings)
    {
        OracleBed bed = new(settings);
        try
        {
            await bed.MakeFileSystemsAsync();
            bed.Serve();
            await Task.WhenAll(bed.BootAsync(FirstGuest), bed.BootAsync(SecondGuest));
            await bed.StartExecutorsAsync();
            bed.AttachUserSpaceGuest();
            return bed;
        }
        catch
        {
            await bed.DisposeAsync();
            throw;
        }
    }

    /// <summary>Makes a random schedule, trying it out beside the reference.</summary>
    public async Task<Schedule> PlanAsync(int seed, int calls)
    {
        string folder = $"{Reference}/plan{++_rounds}";
        await _reference!.ExpectAsync(["end", .. Make(folder)]);
        await _reference.ExpectAsync(
            [.. ScheduleGenerator.ActorsOf(_settings.Clients).Select(actor => Start(actor, folder))]);
        Schedule schedule = await ScheduleGenerator.GenerateAsync(
            seed, calls, _settings.Clients, async call => (await _reference.RunAsync(call.Actor, [call.Text]))[0]);
        await _reference.ExpectAsync(["end"]);
        await _reference.AskAsync($"wipe {folder}");
        return schedule;
    }

    /// <summary>Carries a schedule out; returns the first difference that is not by design.</summary>
    public async Task<Difference?> RunAsync(Schedule schedule)
    {
        string folder = $"round{++_rounds}";
        ResultComparer comparer = new();
        long start = ResultComparer.NowNs();
        await SetUpAsync(schedule, folder);
        comparer.AddBurst((start, ResultComparer.NowNs()));
        ListingProgress listings = new();
        List<TimedCall> successes = [];
        Difference? difference = null;
        foreach (Range burst in schedule.Bursts())
        {
            difference = await RunBurstAsync(schedule, burst, comparer, listings, successes);
            if (difference is not null)
            {
                break;
            }
        }

        await CleanUpAsync(folder);
        _machines.ForEach(machine => machine.AssertKernelIsSound());
        return difference;
    }

    public async ValueTask DisposeAsync()
    {
        _disposables.Reverse();
        _disposables.ForEach(disposable => disposable.Dispose());
        foreach (VirtualMachine machine in _machines)
        {
            await machine.DisposeAsync();
        }

        if (_server is not null)
        {
            await _server.DisposeAsync();
        }

        // Lazily: what still stands in the way is gone with its process.
        await HostShell.ExpectAsync(
            $"for m in {HostMount} {Share} {Reference}; do ! mountpoint -q $m || umount --lazy $m; done; rm -rf {_work}");
    }

    private async Task<Difference?> RunBurstAsync(
        Schedule schedule, Range burst, ResultComparer comparer, ListingProgress listings, List<TimedCall> successes)
    {
        int first = burst.Start.Value;
        Call[] calls = [.. schedule.Calls.Take(burst)];
        Actor actor = schedule.ActorOf(calls[0]);
        ICallExecutor live = _clients[actor.Client].Executor;
        if (calls[0].Text == Call.Drop)
        {
            await live.ExpectAsync([Call.Drop]);
            return null;
        }

        string[] texts = [.. calls.Select(call => call.Text)];
        long start = ResultComparer.NowNs();
        Task<string[]> expecting = _reference!.RunAsync(actor.Number, texts);
        string[] got = await live.RunAsync(actor.Number, texts);
        string[] expected = await expecting;
        (long Start, long End) burstTime = (start, ResultComparer.NowNs());
        comparer.AddBurst(burstTime);
        successes.AddRange(calls.Where((_, i) => expected[i] == "0").Select(call => new TimedCall(call, burstTime)));
        if (actor.Client == Client.Host && _table is not null)
        {
            await WaitForWatcherAsync();
        }

        CallsMade += calls.Length;
        for (int i = 0; i < calls.Length; i++)
        {
            bool isUnderWay = listings.Note(calls[i], expected[i]);
            foreach (FieldDifference found in comparer.Compare(expected[i], got[i]))
            {
                if (!IsByDesign(new Finding(calls[i], actor.Client, _guestKernel, _settings.FileSystem, isUnderWay, successes, found)))
                {
                    return new Difference(first + i, calls[i].Text, found.Name, expected[i], got[i]);
                }
            }
        }

        return null;
    }

    private bool IsByDesign(Finding finding)
    {
        string? reason = ByDesign.ReasonFor(finding);
        if (reason is not null)
        {
            DifferencesByDesign[reason] = DifferencesByDesign.GetValueOrDefault(reason) + 1;
        }

        return reason is not null;
    }

    private async Task SetUpAsync(Schedule schedule, string folder)
    {
        await Task.WhenAll(Executors.Select(executor => executor.ExpectAsync(["end"])));
        await _clients[Client.First].Executor.ExpectAsync(Make($"{TwoGuests.MountPoint}/{folder}"));
        await _reference!.ExpectAsync(Make($"{Reference}/{folder}"));
        await _reference.ExpectAsync([.. schedule.Actors.Select(actor => Start(actor, $"{Reference}/{folder}"))]);
        foreach (IGrouping<Client, Actor> actors in schedule.Actors.GroupBy(actor => actor.Client))
        {
            (ICallExecutor executor, string root) = _clients[actors.Key];
            await executor.ExpectAsync([.. actors.Select(actor => Start(actor, $"{root}/{folder}"))]);
        }

        await _clients[Client.Host].Executor.ExpectAsync([$"new {SentinelProcess} 0 0 0 022 {Share}"]);
    }

    private async Task CleanUpAsync(string folder)
    {
        await Task.WhenAll(Executors.Select(executor => executor.ExpectAsync(["end"])));
        await Task.WhenAll(
            _onHost!.AskAsync($"wipe {Share}/{folder}"), _reference!.AskAsync($"wipe {Reference}/{folder}"));
    }

    /// <summary>A symlink may lead to the folder that the processes' root is in, and what is made there goes with it.</summary>
    private static string[] Make(string folder) => [$"make {folder} 0777", $"make {folder}/root 0777"];

    private static string Start(Actor actor, string folder) =>
        $"new {actor.Number} {actor.User} {actor.Group} {actor.Groups} {actor.Mask} {folder}/root";

    /// <summary>
    /// Events of the host come in their order, and the sentinel's view joined last: when its slot has moved, those of all earlier changes
    /// have, in every view.
    /// </summary>
    private async Task WaitForWatcherAsync()
    {
        VersionSample before = _table!.Sample(_sentinel);
        string[] answers = await _clients[Client.Host].Executor.RunAsync(SentinelProcess, [$"chmod /{Sentinel} 0600"]);
        Assert.Equal("0", answers[0]);
        Assert.True(SpinWait.SpinUntil(() => _table.Sample(_sentinel) != before, WatchPatience), "a change of the host is not noticed");
    }

    private async Task MakeFileSystemsAsync()
    {
        foreach (string folder in (string[])[Share, Reference, HostMount])
        {
            Directory.CreateDirectory(folder);
        }

        // Equal in all that makes numbers of blocks and orders of names differ.
        const string Identity = "5a1ad4f3-6f0c-4a3e-9c57-0c0de0c0de00";
        string make = _settings.FileSystem switch
        {
            "ext4" => $"mkfs.ext4 -q -U {Identity} -E hash_seed={Identity}",
            "xfs" => "mkfs.xfs -q",
            _ => "",
        };
        foreach (string folder in (string[])[Share, Reference])
        {
            string image = folder + ".image";
            await HostShell.ExpectAsync(make.Length == 0
                ? $"mount -t {_settings.FileSystem} -o noatime,size=256M none {folder}"
                : $"truncate -s 320M {image} && {make} {image} && mount -o " +
                    $"loop,noatime{(_settings.FileSystem == "xfs" ? ",nouuid,allocsize=4096" : "")} {image} {folder}");
        }

        await HostShell.ExpectAsync($": >{Share}/{Sentinel}; chmod 600 {Share}/{Sentinel}; chmod 755 {_work}");
    }

    private void Serve() => _server = new CoherentServer(Share, _work, [FirstGuest, SecondGuest, StockGuest], configure: share =>
    {
        share.Cache = _settings.Cache;
        share.PosixAcl = true;
        share.Mounts = _settings.Clients.Contains(Client.Mount) ? [HostMount] : [];
        share.Guests.Single(guest => guest.Name == StockGuest).Cache = CacheMode.Never;
    });

    private async Task BootAsync(string name)
    {
        VirtualMachine machine = await VirtualMachine.BootAsync(new VirtualMachineSettings
        {
            Name = name,
            Image = _settings.Image,
            WorkFolder = _work,
            DaemonSocket = _server!.SocketOf(name),
            Tag = SharingDaemon.Tag,
            Device = _settings.Device,
            TableFile = _settings.IsCoherent && _settings.Device == FileSystemDevice.VhostUserFs ? _server.TableOf(name) : null,
            MoreShares = name == SecondGuest ? new Dictionary<string, string> { [StockGuest] = _server.SocketOf(StockGuest) } : [],
            MoreSerialPorts = [LineOf(name)],
            KernelOptions = "slub_debug=FZPU panic_on_warn=1",
        });
        lock (_machines)
        {
            _machines.Add(machine);
        }

        foreach (string protection in Protections)
        {
            string value = File.ReadAllText($"/proc/sys/fs/{protection}").Trim();
            await machine.ExpectAsync($"echo {value} >/proc/sys/fs/{protection}");
        }

        if (_settings.RulesOff != 0)
        {
            await machine.ExpectAsync($"rmmod coherency && insmod /modules/coherency-testing.ko rules_off={_settings.RulesOff}");
        }

        await machine.ExpectAsync(
            $"mount -t {(_settings.IsCoherent ? "coherency" : "virtiofs")} {SharingDaemon.Tag} {TwoGuests.MountPoint}");
        if (name == SecondGuest)
        {
            await machine.ExpectAsync($"mkdir {StockMountPoint} && mount -t virtiofs {StockGuest} {StockMountPoint}");
        }
    }

    private string LineOf(string guest) => Path.Combine(_work, guest + ".calls");

    private async Task StartExecutorsAsync()
    {
        VirtualMachine first = _machines.Single(machine => machine.Name == FirstGuest);
        VirtualMachine second = _machines.Single(machine => machine.Name == SecondGuest);
        string[] release = (await first.ExpectAsync("uname -r")).Split('.');
        _guestKernel = Version.Parse($"{release[0]}.{release[1]}");
        _clients[Client.First] = (Own(await CallExecutor.StartInGuestAsync(first, LineOf(FirstGuest))), TwoGuests.MountPoint);
        CallExecutor inSecond = Own(await CallExecutor.StartInGuestAsync(second, LineOf(SecondGuest)));
        _clients[Client.Second] = (inSecond, TwoGuests.MountPoint);
        _clients[Client.Stock] = (inSecond, StockMountPoint);
        _onHost = Own(await CallExecutor.StartOnHostAsync(_settings.Image));
        _clients[Client.Mount] = (_onHost, HostMount);
        _clients[Client.Host] = (_onHost, Share);
        _reference = Own(await CallExecutor.StartOnHostAsync(_settings.Image));
    }

    /// <summary>It holds the sentinel as well: only what somebody holds has a slot that is moved.</summary>
    private void AttachUserSpaceGuest()
    {
        if (!_settings.IsCoherent)
        {
            return;
        }

        VirtioFsGuest guest = Own(_server!.ConnectUserSpaceGuest());
        _table = Own(VersionTableReader.Open(_server.TableOf(CoherentServer.UserSpaceGuest)));
        CoherentCache cache = CoherentCache.Attach(guest.Fuse, _table);
        _clients[Client.UserSpace] = (Own(new UserSpaceExecutor(cache)), "");
        _sentinel = SlotKey.Inode(cache.Lookup(NodeId.Root, Sentinel)!.Value.Value);
    }

    private T Own<T>(T disposable)
        where T : IDisposable
    {
        _disposables.Add(disposable);
        return disposable;
    }
}
