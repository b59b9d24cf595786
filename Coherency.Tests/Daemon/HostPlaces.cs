namespace Coherency.Tests.Daemon;

/// <summary>A host's folders of which nobody tells a daemon, for one test: where it is found, configuration, what outlives it.</summary>
internal sealed class HostPlaces : IDisposable
{
    private readonly DirectoryInfo _work = Directory.CreateTempSubdirectory("coherency-places-");

    public HostPlaces()
    {
        foreach (string folder in (string[])["run", "conf", "conf/conf.d", "state", "one", "two"])
        {
            _work.CreateSubdirectory(folder);
        }
    }

    public (string Name, string Value)[] Environment =>
    [
        ("COHERENCYD_RUNTIME_DIR", PathOf("run")), ("COHERENCYD_CONFIG_DIR", PathOf("conf")), ("STATE_DIRECTORY", PathOf("state")),
    ];

    public string Added => PathOf("state/added.json");

    public string PathOf(string name) => Path.Combine(_work.FullName, name);

    public string SocketOf(string guest) => PathOf($"{guest}.sock");

    public RunningDaemon Start(params string[] arguments) => RunningDaemon.Start(DaemonProgram.Built, arguments, Environment);

    /// <summary>Runs a command of coherencyd to its end.</summary>
    public ChildResult Run(params string[] arguments) => ChildProcess.Run(
        "env", [.. Environment.Select(one => $"{one.Name}={one.Value}"), .. DaemonProgram.Built.Command, .. arguments]);

    /// <summary>A configuration file of one share with guests.</summary>
    public void Configure(string file, string directory, params string[] guests) => File.WriteAllText(
        PathOf($"conf/{file}"),
        $$"""{ "shares": [{ "sharedDir": "{{PathOf(directory)}}", "guests": [{{string.Join(", ", guests.Select(Describe))}}] }] }""");

    public void Dispose() => _work.Delete(recursive: true);

    private string Describe(string guest) => $$"""{ "name": "{{guest}}", "socket": "{{SocketOf(guest)}}" }""";
}
