using System.Text.Json;
using System.Text.Json.Nodes;
using Coherency.Daemon.Configuration;
using Coherency.Daemon.Hosting;
using Coherency.Guest;
using Coherency.Tests.Hostile;

namespace Coherency.Tests.Daemon;

/// <summary>A daemon that is told to read its configuration again.</summary>
public sealed class ReloadTests : IDisposable
{
    private const int RandomSteps = 150;

    private readonly DirectoryInfo _work = Directory.CreateTempSubdirectory("coherency-reload-");

    public ReloadTests()
    {
        foreach (string share in (string[])["one", "two"])
        {
            _work.CreateSubdirectory(share);
        }

        Directory.CreateDirectory(Conf);
    }

    private string Conf => PathOf("conf.d");

    public void Dispose() => _work.Delete(recursive: true);

    [Fact]
    public async Task A_signal_adds_and_removes_guests_and_nothing_else()
    {
        Write("10-one", ("one", ["a", "b"]));
        using RunningDaemon daemon = RunningDaemon.Start("serve", "--config", Conf, "--no-admin");
        using VirtioFsGuest a = VirtioFsGuest.Connect(SocketOf("a"));
        Write("10-one", ("one", ["a"]));
        Write("20-two", ("two", ["c"]));
        Hangup(daemon);
        await Eventually.IsTrueAsync(() => daemon.Output.Contains("added [c], removed [b]", StringComparison.Ordinal));
        using (VirtioFsGuest c = VirtioFsGuest.Connect(SocketOf("c")))
        {
            Assert.Empty(c.Files.List("/"));
        }

        Assert.False(File.Exists(SocketOf("b")));
        a.Files.CreateFile("/file").Dispose();

        // What cannot be done while it runs, and what makes no sense, changes nothing.
        Write("20-two", ("two", ["d"]));
        File.WriteAllText(Path.Combine(Conf, "30-more.json"), """{ "shares": [], "dashboard": "0" }""");
        Write("10-one", ("one", ["a"]), share => share["cache"] = "never");
        Hangup(daemon);
        await Eventually.IsTrueAsync(() => daemon.Output.Contains(
            "nothing was changed: dashboard cannot be changed while the daemon runs; cache of guest a cannot be changed while it is served",
            StringComparison.Ordinal));
        File.WriteAllText(Path.Combine(Conf, "30-more.json"), "{ what");
        Hangup(daemon);
        await Eventually.IsTrueAsync(() => daemon.Output.Contains("30-more.json, line 1", StringComparison.Ordinal));
        Assert.True(File.Exists(SocketOf("c")));
        Assert.False(File.Exists(SocketOf("d")));
        a.Files.CreateFile("/other").Dispose();
        Assert.Equal(0, daemon.Stop());
    }

    [Fact]
    public async Task Without_a_file_the_signal_ends_nothing()
    {
        using RunningDaemon daemon = RunningDaemon.Start(
            "serve", "--shared-dir", PathOf("one"), "--guest", $"a={SocketOf("a")}", "--no-admin");
        Hangup(daemon);
        await Eventually.IsTrueAsync(() => daemon.Output.Contains("without --config", StringComparison.Ordinal));
        VirtioFsGuest.Connect(SocketOf("a")).Dispose();
        Assert.Equal(0, daemon.Stop());
    }

    [Fact]
    public void Of_what_is_no_share_one_file_says_it()
    {
        Write("10-one", ("one", ["a"]));
        File.WriteAllText(Path.Combine(Conf, "20-x.json"), """{ "shares": [], "metrics": "0" }""");
        Assert.Equal("0", ConfigurationFile.Read(Conf).Metrics);
        File.WriteAllText(Path.Combine(Conf, "30-y.json"), """{ "shares": [], "metrics": "0" }""");
        UsageException twice = Assert.Throws<UsageException>(() => ConfigurationFile.Read(Conf));
        Assert.Contains("20-x.json", twice.Message, StringComparison.Ordinal);
        Assert.Contains("30-y.json both say what metrics is", twice.Message, StringComparison.Ordinal);
        File.Delete(Path.Combine(Conf, "30-y.json"));
        Write("40-two", ("two", ["a"]));
        twice = Assert.Throws<UsageException>(() => ConfigurationFile.Read(Conf));
        Assert.Contains("2 guests have the name a", twice.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_for_editors_may_come_and_go()
    {
        Write("all", ("one", ["a"]));
        string file = Path.Combine(Conf, "all.json");
        ServeConfiguration started = ConfigurationFile.Read(file);
        using GuestServer server = new(started, new CollectedLog());
        JsonNode written = JsonNode.Parse(File.ReadAllText(file))!;
        written["$schema"] = "coherencyd.schema.json";
        File.WriteAllText(file, written.ToJsonString());
        (IReadOnlyList<string> added, IReadOnlyList<string> removed) = new LiveConfiguration(started, server).Reload();
        Assert.Empty(added.Concat(removed));
    }

    /// <summary>Of an earlier daemon; a machine may have it mapped.</summary>
    [Fact]
    public void Who_cannot_be_added_leaves_the_table_that_was_there_and_can_be_tried_again()
    {
        ShareConfiguration share = ShareOf("one", ["c"]);
        string table = SocketOf("c") + ".table";
        new GuestServer(new ServeConfiguration { Shares = [share] }, new CollectedLog()).Dispose();
        string before = Identify();
        File.WriteAllText(SocketOf("c"), "in the way");
        Assert.ThrowsAny<IOException>(() => new GuestServer(new ServeConfiguration { Shares = [share] }, new CollectedLog()));
        Assert.Equal(before, Identify());
        using GuestServer server = new(new ServeConfiguration { Shares = [ShareOf("two", ["a"])] }, new CollectedLog());
        Assert.ThrowsAny<IOException>(() => server.Add(share));
        Assert.Equal(before, Identify());

        File.Delete(SocketOf("c"));
        server.Add(share);
        Assert.Equal(before, Identify());
        VirtioFsGuest.Connect(SocketOf("c")).Dispose();

        string Identify() => ChildProcess.Run("stat", ["-c", "%i", table]).Output;
    }

    /// <summary>Random changes of the file, additions, removals and reloads, beside a set that says who must be there.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void After_any_changes_those_are_served_that_should_be(int seed)
    {
        string[] names = ["a", "b", "c", "d", "e"];
        string file = Path.Combine(Conf, "all.json");
        Random random = new(seed);
        SortedDictionary<string, string> written = new() { ["a"] = "one" };
        WriteAll();
        ServeConfiguration started = ConfigurationFile.Read(Conf);
        using GuestServer server = new(started, new CollectedLog());
        LiveConfiguration live = new(started, server);
        SortedDictionary<string, string> served = new(written), fromFile = new(written);
        for (int step = 0; step < RandomSteps; step++)
        {
            string name = names[random.Next(names.Length)];
            string share = random.Next(2) == 0 ? "one" : "two";
            switch (random.Next(5))
            {
                case 0:
                    bool isFree = !served.ContainsKey(name);
                    Exception? refused = Record.Exception(() => server.Add(ShareOf(share, [name])));
                    Assert.Equal(isFree, refused is null);
                    served.TryAdd(name, share);
                    break;
                case 1:
                    if (server.Guests.FirstOrDefault(guest => guest.Name == name) is { } present)
                    {
                        Assert.True(server.Remove(present));
                        Assert.False(server.Remove(present));
                        served.Remove(name);
                        fromFile.Remove(name);
                    }

                    break;
                case 2:
                    written[name] = share;
                    WriteAll();
                    break;
                case 3:
                    // The last one has to stay: a file without guests is none.
                    if (written.Count > 1 && written.Remove(name))
                    {
                        WriteAll();
                    }

                    break;
                default:
                    Reload();
                    break;
            }

            Assert.Equal(
                served.Select(guest => $"{guest.Key} {PathOf(guest.Value)}"),
                server.Guests.Select(guest => $"{guest.Name} {guest.Share.Directory}").Order(StringComparer.Ordinal));
            Assert.Equal(
                served.Values.Distinct().Select(PathOf).Order(), server.ServedShares.Select(one => one.Directory).Distinct().Order());
            Assert.All(names, one => Assert.Equal(served.ContainsKey(one), File.Exists(SocketOf(one))));
        }

        Assert.All(served.Keys, one => VirtioFsGuest.Connect(SocketOf(one)).Dispose());

        void Reload()
        {
            bool isMoved = written.Any(guest => fromFile.TryGetValue(guest.Key, out string? before) && before != guest.Value);
            string[] wanted = [.. written.Keys.Except(fromFile.Keys)];
            bool isTaken = wanted.Any(served.ContainsKey);
            Exception? refused = Record.Exception(() => live.Reload());
            Assert.True(refused is null == !(isMoved || isTaken), $"{refused}");
            if (isMoved)
            {
                return;
            }

            foreach (string gone in fromFile.Keys.Except(written.Keys).ToArray())
            {
                served.Remove(gone);
                fromFile.Remove(gone);
            }

            // Up to the one whose name another one has, share by share, all of a share or none.
            foreach (IGrouping<string, KeyValuePair<string, string>> share in written
                .GroupBy(guest => guest.Value).OrderBy(group => group.Key))
            {
                string[] coming = [.. share.Select(guest => guest.Key).Intersect(wanted)];
                if (coming.Any(served.ContainsKey))
                {
                    return;
                }

                foreach (string name in coming)
                {
                    served[name] = fromFile[name] = share.Key;
                }
            }
        }

        void WriteAll() => File.WriteAllText(
            file,
            new JsonObject
            {
                ["shares"] = new JsonArray([.. written.GroupBy(guest => guest.Value).OrderBy(group => group.Key)
                    .Select(group => ToJson(ShareOf(group.Key, [.. group.Select(guest => guest.Key)])))]),
            }.ToJsonString());
    }

    private static void Hangup(RunningDaemon daemon) => ChildProcess.Run("kill", ["-HUP", $"{daemon.Id}"]);

    private static JsonNode? ToJson(ShareConfiguration share) =>
        JsonSerializer.SerializeToNode(share, ConfigurationJson.Default.ShareConfiguration);

    private ShareConfiguration ShareOf(string share, string[] guests) => new()
    {
        SharedDir = PathOf(share),
        Guests = [.. guests.Select(name => new GuestConfiguration { Name = name, Socket = SocketOf(name) })],
    };

    private void Write(string file, (string Share, string[] Guests) share, Action<JsonNode>? change = null)
    {
        JsonNode written = ToJson(ShareOf(share.Share, share.Guests))!;
        change?.Invoke(written);
        File.WriteAllText(Path.Combine(Conf, file + ".json"), new JsonObject { ["shares"] = new JsonArray(written) }.ToJsonString());
    }

    private string PathOf(string name) => Path.Combine(_work.FullName, name);

    private string SocketOf(string guest) => PathOf($"{guest}.sock");
}
