namespace Coherency.Tests.Oracle;

/// <summary>
/// Random schedules over a few names, so that actors meet. Each call is tried out when it is made, so that later ones can be aimed
/// at what exists; few of those that fail are kept.
/// </summary>
internal sealed class ScheduleGenerator
{
    private const int Registers = 4;
    private const int BurstMax = 5;
    private const int DirectoriesMax = 7;
    private const double ChanceOfFailed = 0.15;

    private static readonly string[] FileNames = ["a", "b", "c", "x"];
    private static readonly string[] DirectoryNames = ["d", "e"];
    private static readonly string[] LinkNames = ["l", "m"];

    // Only such become fifos and devices: a fifo has an end in each kernel, so none is opened.
    private static readonly string[] NodeNames = ["p", "q"];

    private static readonly int[] Users = [0, 1000, 1001];
    private static readonly int[] GroupIds = [0, 50, 1000, 1001];
    private static readonly int[] Sizes = [0, 1, 7, 100, 511, 512, 4000, 4096, 4097, 5000, 8192, 10000, 12288, 20000];
    private static readonly string[] Modes =
    [
        "0666", "0666", "0777", "0777", "0644", "0755", "0600", "0640", "0444", "0", "04777", "06777", "02666", "02777", "01777", "0711",
    ];
    private static readonly string[] AccessModes = ["r", "r", "rw", "rw", "rw", "w"];
    private static readonly string[] OpenExtras =
    [
        "", "", "", "creat", "creat", "creat", "creat,excl", "trunc", "creat,trunc", "append", "creat,append", "nofollow", "sync",
    ];
    private static readonly string[] OpenExtrasOfStock =
        [.. OpenExtras.Where(extra => !extra.Contains("append", StringComparison.Ordinal))];
    private static readonly string[] Targets = ["a", "b", "../a", "d/a", "l", "nothing", "d", "."];
    private static readonly string[] AttributeNames = ["user.one", "user.two", "trusted.three"];
    // Some kernels forget to ask whether others may remove these (security_inode_removexattr of Linux 6.1 with the BPF LSM).
    private static readonly string[] AttributeNamesOfRoot = [.. AttributeNames, "security.four"];
    private static readonly string[] WriteFlagsOfStock = ["none", "dsync"];
    private static readonly string[] WriteFlags = [.. WriteFlagsOfStock, "appending"];
    private static readonly string[] DecidedByOwner = ["chmod", "chown", "utimens", "link", "linkfd", "setxattr", "removexattr", "setacl"];
    private static readonly string[] Holes = ["allocate", "keep", "punch", "zero", "zerokeep"];

    private static readonly Actor[] Everybody =
    [
        new(0, Client.First, 0, 0, "0", "022"),
        new(1, Client.First, 1000, 1000, "1000,50", "022"),
        new(2, Client.First, 1001, 1001, "1001,50", "002"),
        new(3, Client.Second, 0, 0, "0", "022"),
        new(4, Client.Second, 1000, 1000, "1000", "077"),
        new(5, Client.Second, 1001, 1001, "1001,1000", "022"),
        new(6, Client.Stock, 0, 0, "0", "0"),
        new(7, Client.Stock, 1000, 1000, "1000,50", "022"),
        new(8, Client.Mount, 0, 0, "0", "022"),
        new(9, Client.Mount, 1001, 1001, "1001,50", "027"),
        new(10, Client.Host, 0, 0, "0", "022"),
        new(11, Client.Host, 1000, 1000, "1000,50", "022"),
        new(12, Client.UserSpace, 0, 0, "0", "022"),
    ];

    private readonly Random _random;
    private readonly Actor[] _actors;
    private readonly List<Call> _calls = [];
    private readonly KnownNames _known = new();
    private readonly Func<Call, Task<string>> _tryOut;
    private readonly (int Weight, Func<string?> Make)[] _menu;
    private readonly int _weights;
    private string _recent = "/a";
    private int _letter;
    private Actor _actor;

    private ScheduleGenerator(int seed, IReadOnlyCollection<Client> clients, Func<Call, Task<string>> tryOut)
    {
        _random = new Random(seed);
        _tryOut = tryOut;
        _actors = [.. ActorsOf(clients)];
        _actor = _actors[0];
        _menu = Menu();
        _weights = _menu.Sum(entry => entry.Weight);
    }

    public static IEnumerable<Actor> ActorsOf(IReadOnlyCollection<Client> clients) =>
        Everybody.Where(actor => clients.Contains(actor.Client));

    /// <param name="tryOut">Carries a call out in a directory of this schedule's own, and answers as eng/vm/guest-calls.c does.</param>
    public static async Task<Schedule> GenerateAsync(
        int seed, int calls, IReadOnlyCollection<Client> clients, Func<Call, Task<string>> tryOut)
    {
        ScheduleGenerator generator = new(seed, clients, tryOut);
        await generator.SetUpAsync();
        while (generator._calls.Count < calls)
        {
            await generator.AddBurstAsync();
        }

        return new Schedule(generator._actors, generator._calls).Trim();
    }

    private (int Weight, Func<string?> Make)[] Menu() =>
    [
        (14, Open),
        (4, OpenDirectory),
        (3, () => Opened() is { } fd ? $"close {fd}" : null),
        (1, () => Opened() is { } fd ? $"dup {fd} {Register()}" : null),
        (2, () => Opened() is { } fd ? $"reopen {fd} {Register()} {Pick(AccessModes)}" : null),
        (3, () => $"read {File()} {Size()}"),
        (7, () => $"pread {File()} {Size()} {Size()}"),
        (1, () => $"readv {File()} {Size()}"),
        (1, () => $"preadv2 {File()} {Size()} {Size()}"),
        (4, () => $"write {File()} {Letter()} {Size()}"),
        (7, () => $"pwrite {File()} {Letter()} {Size()} {Size()}"),
        (1, () => $"writev {File()} {Letter()} {Size()}"),
        (2, () => $"pwritev2 {File()} {Letter()} {Size()} {Size()} {Pick(KnowsSizes ? WriteFlags : WriteFlagsOfStock)}"),
        (2, () => $"script {File()}"),
        (4, () => $"lseek {File()} {Size()} {Pick(["set", "cur", "end", "data", "hole"])}"),
        (2, () => !KnowsSizes ? null : $"setfl {File()} {Pick(["r", "append"])}"),
        (1, () => $"getfl {File()}"),
        (3, () => $"ftruncate {File()} {Size()}"),
        (3, () => $"fallocate {File()} {Pick(Holes)} {Size()} {Size()}"),
        (2, () => !KnowsSizes ? null : $"copy {File()} {SizeOrNone()} {File()} {SizeOrNone()} {Size()}"),
        (1, () => !KnowsSizes ? null : $"sendfile {File()} {File()} {SizeOrNone()} {Size()}"),
        (1, () => !KnowsSizes ? null : $"splice {File()} {SizeOrNone()} {File()} {SizeOrNone()} {Size()}"),
        (1, () => $"{Pick(["fsync", "fdatasync"])} {File()}"),
        (12, () => $"stat {Look()} {Pick(["none", "nofollow"])}"),
        (4, () => $"stat @{File()} none"),
        (7, () => $"access {Look()} {_random.Next(8)} {Pick(["none", "eaccess", "nofollow"])}"),
        (3, () => $"truncate {Existing()} {Size()}"),
        (5, () => $"chmod {ExistingOrOpen()} {Pick(Modes)}"),
        (4, ChangeOwner),
        (3, ChangeTimes),
        (3, () => Renaming("link", FileNames, "none")),
        (1, () => $"linkfd {File()} {Target(FileNames)}"),
        (2, () => $"symlink {Pick(Targets)} {Target(LinkNames)}"),
        (2, () => $"readlink {ExistingOf(LinkNames)}"),
        (6, () => Renaming("rename", FileNames, Pick(["none", "none", "none", "noreplace", "exchange"]))),
        (2, RenameDirectory),
        (
            1,
            () => MayRemove
                ? $"rename {ExistingOf(NodeNames)} {Directory()}{Pick(NodeNames)} {Pick(["none", "exchange", "noreplace"])}"
                : null),
        (6, Unlink),
        (2, RemoveDirectory),
        (3, MakeDirectory),
        (2, () => $"mknod {Directory()}{Pick(NodeNames)} {Pick(["fifo", "socket", "char"])} {Pick(Modes)}"),
        (1, () => $"mknod {Target(FileNames)} file {Pick(Modes)}"),
        (1, () => $"chdir {Directory()}"),
        (1, () => "getcwd"),
        (1, () => $"umask {Pick(["0", "022", "077", "027"])}"),
        (2, () => $"exec {Look()}"),
        (5, () => $"list {Directory()}"),
        (1, () => $"readdir {OpenedDirectory()} {_random.Next(1, 5)} {_random.Next(4)}"),
        (2, () => $"rewind {OpenedDirectory()} {_random.Next(1, 5)} {_random.Next(4)}"),
        (2, () => $"resume {OpenedDirectory()} {_random.Next(1, 9)} {_random.Next(4)}"),
        (3, Map),
        (1, () => $"munmap {Mapping()}"),
        (5, () => $"load {Mapping()} {Size()} {_random.Next(1, 300)}"),
        (4, Store),
        (2, () => $"setxattr {Existing()} {AttributeName()} {Letter()} {_random.Next(0, 200)} {Pick(["none", "create", "replace"])}"),
        (3, () => $"getxattr {Look()} {AttributeName()}"),
        (1, () => $"removexattr {Existing()} {AttributeName()}"),
        (2, () => $"listxattr {Look()}"),
        (2, AccessList),
        (2, () => $"getacl {Look()} {Pick(["access", "default"])}"),
        (2, () => $"flock {File()} {Pick(["sh", "ex", "free"])}"),
        (3, () => $"lock {File()} {Pick(["rd", "wr", "un"])} {Size()} {Size()}"),
        (2, () => $"ofdlock {File()} {Pick(["rd", "wr", "un"])} {Size()} {Size()}"),
        (2, () => $"getlock {File()} {Pick(["rd", "wr"])} {Size()} {Size()}"),
        (1, () => !IsCoherent ? null : $"lease {File()} {Pick(["rd", "wr", "un"])}"),
        (1, ByHandle),
        (1, () => _actor.Client is Client.First or Client.Second or Client.Stock ? Call.Drop : null),
    ];

    private async Task SetUpAsync()
    {
        Actor root = _actors.First(actor => actor.User == 0);
        foreach (string text in (string[])["mkdir /d 0777", "chmod /d 0777", "mkdir /s 0777", "chmod /s 01777", "mkdir /g 0777",
            "chown /g 0 50 none", "chmod /g 02777"])
        {
            await AddAsync(new Call(root.Number, text));
        }
    }

    private async Task AddBurstAsync()
    {
        _actor = Pick(_actors);
        int length = _random.Next(1, BurstMax + 1);
        for (int i = 0; i < length; i++)
        {
            // What was just changed is looked at by somebody else.
            string? text = i == 0 && Chance(0.4) ? LookAtRecent() : Choose()();
            if (text is not null && (_actor.Client != Client.UserSpace || UserSpaceExecutor.Knows(text)))
            {
                await LookFirstAsync(text);
                await AddAsync(new Call(_actor.Number, text));
            }
        }
    }

    /// <summary>
    /// Linux' own fuse decides who may change or link a file by the owner and mode that it has last seen, without asking
    /// (docs/serving.md).
    /// </summary>
    private async Task LookFirstAsync(string text)
    {
        string[] words = text.Split(' ');
        if (!IsCoherent && DecidedByOwner.Contains(words[0]))
        {
            await AddAsync(new Call(_actor.Number, $"stat {(words[0] == "linkfd" ? "@" : "")}{words[1]} none"));
        }
    }

    private async Task AddAsync(Call call)
    {
        string answer = call.Text == Call.Drop ? "ok" : await _tryOut(call);
        if (IsFailure(answer) && !Chance(ChanceOfFailed))
        {
            return;
        }

        _calls.Add(call);
        if (!IsFailure(answer))
        {
            _known.Note(call);
        }
    }

    private static bool IsFailure(string answer) => answer is ['E', ..] or "outside" or "directory";

    private string LookAtRecent() => _random.Next(6) switch
    {
        0 or 1 => $"stat {_recent} nofollow",
        2 => $"access {_recent} {_random.Next(8)} none",
        3 => $"open {Register()} {_recent} {Pick(AccessModes)} 0",
        4 => $"list {_recent[..(_recent.LastIndexOf('/') + 1)]}",
        _ => $"getxattr {_recent} {AttributeName()}",
    };

    private Func<string?> Choose()
    {
        int left = _random.Next(_weights);
        foreach ((int weight, Func<string?> make) in _menu)
        {
            left -= weight;
            if (left < 0)
            {
                return make;
            }
        }

        throw new InvalidOperationException("the weights do not add up");
    }

    private T Pick<T>(IReadOnlyList<T> list) => list[_random.Next(list.Count)];

    private bool Chance(double chance) => _random.NextDouble() < chance;

    private int Size() => Pick(Sizes);

    private string SizeOrNone() => Chance(0.5) ? "-" : $"{Size()}";

    private string AttributeName() => Pick(_actor.User == 0 ? AttributeNamesOfRoot : AttributeNames);

    /// <summary>The kernel tells nobody of a chown on the host that names neither owner nor group (docs/version-table.md).</summary>
    private string? ChangeOwner()
    {
        int user = Owner(Users);
        int group = Owner(GroupIds);
        return _actor.Client == Client.Host && user == -1 && group == -1
            ? null
            : $"chown {ExistingOrOpen()} {user} {group} {Pick(["none", "nofollow"])}";
    }

    private int Owner(int[] ids) => Chance(0.2) ? -1 : Pick(ids);

    /// <summary>Of a program of the host that sets the access time alone nobody is told (docs/version-table.md).</summary>
    private string? ChangeTimes()
    {
        string modification = Time();
        return _actor.Client == Client.Host && modification == "omit" ? null : $"utimens {ExistingOrOpen()} {Time()} {modification} none";
    }

    private string Time() => Chance(0.3) ? "now" : Chance(0.3) ? "omit" : $"{_random.Next(1_000_000_000, 1_000_000_009)}";

    private char Letter() => (char)('a' + (_letter++ % 26));

    private string Directory() => Chance(0.95) ? Pick(_known.Directories) : $"/{Pick(DirectoryNames)}/";

    private string Remember(string path) => _recent = path;

    private string ExistingOf(string[] names) =>
        _known.Named(names) is { Count: > 0 } known && Chance(0.9) ? Pick(known) : Directory() + Pick(names);

    private string Existing() => Remember(Chance(0.35) ? _recent : ExistingOf(FileNames));

    /// <summary>What is looked at only: directories, links and nodes too, and what was just changed.</summary>
    private string Look() =>
        Chance(0.2) ? Directory() : Chance(0.15) ? ExistingOf(LinkNames) : Chance(0.1) ? ExistingOf(NodeNames) : Existing();

    private string ExistingOrOpen() => Chance(0.25) ? $"@{File()}" : Chance(0.2) ? Directory() : Existing();

    private string Target(string[] names) => Directory() + (Chance(0.95) ? Pick(names) : Pick(DirectoryNames));

    private int Register() => _random.Next(Registers);

    private int? Opened() => Any(_known.Files(_actor.Number));

    private int File() => Opened() ?? Register();

    private int OpenedDirectory() => Any(_known.OpenDirectories(_actor.Number)) ?? Register();

    private int Mapping() => Any(_known.Mappings(_actor.Number)) ?? Register();

    private int? Any(IReadOnlyList<int> registers) => registers.Count > 0 ? Pick(registers) : null;

    private string Open()
    {
        string extra = Pick(KnowsSizes ? OpenExtras : OpenExtrasOfStock);
        bool makes = extra.Contains("creat", StringComparison.Ordinal);
        if (Chance(0.04))
        {
            return $"open {Register()} {Directory()} rw,tmpfile {Pick(Modes)}";
        }

        string path = makes && Chance(0.5) ? Remember(Directory() + Pick(FileNames)) : Chance(0.1) ? ExistingOf(LinkNames) : Existing();
        return $"open {Register()} {path} {Pick(AccessModes)}{(extra.Length > 0 ? "," : "")}{extra} {Pick(Modes)}";
    }

    private string OpenDirectory() => $"open {Register()} {Directory()} r,directory 0";

    private string? Renaming(string call, string[] names, string flags)
    {
        if (!MayRemove)
        {
            return null;
        }

        string from = Existing();
        string to = Remember(Directory() + Pick(names));
        return $"{call} {from} {to} {flags}";
    }

    private string? RenameDirectory()
    {
        string from = Directory().TrimEnd('/');
        string to = $"{Directory()}{Pick(DirectoryNames)}";
        return MayRemove && from.Length > 0 ? $"rename {from} {Remember(to)} {Pick(["none", "none", "exchange", "noreplace"])}" : null;
    }

    private string? Unlink() =>
        MayRemove ? $"unlink {(Chance(0.15) ? ExistingOf(LinkNames) : Chance(0.1) ? ExistingOf(NodeNames) : Existing())}" : null;

    private string? RemoveDirectory() => MayRemove && Directory().TrimEnd('/') is { Length: > 0 } path ? $"rmdir {Remember(path)}" : null;

    /// <summary>What a host program removes within a second after a guest has opened it is lost to the guest (docs/serving.md).</summary>
    private bool MayRemove => _actor.Client != Client.Host;

    /// <summary>
    /// Linux' own fuse takes the size that it has last seen for that of the file, without asking: in a fault, for RWF_APPEND, for the
    /// position after O_APPEND, and where a file is the source of a copy.
    /// </summary>
    private bool KnowsSizes => IsCoherent;

    private string? MakeDirectory() =>
        _known.Directories.Count < DirectoriesMax ? $"mkdir {Remember(Directory() + Pick(DirectoryNames))} {Pick(Modes)}" : null;

    private string? Map() => !KnowsSizes ? null :
        $"mmap {Register()} {File()} {Pick(["0", "0", "4096"])} {Pick(["4096", "8192", "12288"])} " +
        $"{Pick(["shared", "shared", "private"])} {Pick(["r", "rw", "rw"])}";

    /// <summary>The kernel tells nobody what is stored into a mapping of the host (docs/version-table.md).</summary>
    private string? Store() => _actor.Client == Client.Host ? null : $"store {Mapping()} {Size()} {Letter()} {_random.Next(1, 300)}";

    private string AccessList()
    {
        bool isDefault = Chance(0.3);
        string list = $"1:{_random.Next(8)}:0,2:{_random.Next(8)}:{Pick(Users)},4:{_random.Next(8)}:0," +
            $"8:{_random.Next(8)}:{Pick(GroupIds)},16:{_random.Next(8)}:0,32:{_random.Next(8)}:0";
        return $"setacl {(isDefault ? Directory() : Existing())} {(isDefault ? "default" : "access")} {list}";
    }

    /// <summary>Linux' own fuse grants leases by itself, and its handles are good for as long as somebody knows the inode.</summary>
    private bool IsCoherent => _actor.Client is not (Client.Stock or Client.Mount);

    private string? ByHandle() => _actor.User == 0 && IsCoherent ? $"byhandle {Register()} {Existing()} {Pick(["r", "rw"])}" : null;
}
