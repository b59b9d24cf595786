using Coherency.Tests.Daemon;

namespace Coherency.Tests.Admin;

/// <summary>A daemon with two guests, <c>a</c> and <c>b</c>, and its administration on a socket.</summary>
public class AdminDaemon : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("coherency-admin-");
    private readonly RunningDaemon _daemon;

    public AdminDaemon()
        : this(DaemonProgram.Built)
    {
    }

    protected AdminDaemon(DaemonProgram program)
    {
        Program = program;
        Share = _folder.CreateSubdirectory("share").FullName;
        File.WriteAllText(Path.Combine(Share, "file"), "content");
        _daemon = RunningDaemon.Start(
            program,
            [
                "serve", "--shared-dir", Share, "--guest", $"a={SocketOf("a")}", "--guest", $"b={SocketOf("b")}", "--admin-socket", Socket,
                "--dashboard", "0", "--metrics", "0",
            ]);
    }

    /// <summary>What it is, and asks it.</summary>
    public DaemonProgram Program { get; }

    public string Share { get; }

    public string Socket => Path.Combine(_folder.FullName, "admin.sock");

    /// <summary>As clients of gRPC name it.</summary>
    public string Target => $"unix:{Socket}";

    public int Id => _daemon.Id;

    public string Output => _daemon.Output;

    public string SocketOf(string guest) => Path.Combine(_folder.FullName, $"{guest}.sock");

    /// <summary>Asks the daemon with its own command line.</summary>
    internal ChildResult Ask(params string[] arguments) =>
        Program.Run(["admin", "--socket", Socket, .. arguments]);

    public int Stop() => _daemon.Stop();

    public void Dispose()
    {
        _daemon.Dispose();
        _folder.Delete(recursive: true);
        GC.SuppressFinalize(this);
    }
}
