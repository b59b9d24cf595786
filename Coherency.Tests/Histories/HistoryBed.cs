using Coherency.Daemon.Configuration;
using Coherency.Daemon.Hosting;
using Coherency.Guest;
using Coherency.Tests.Linearizability;
using Microsoft.Extensions.Logging.Abstractions;

namespace Coherency.Tests.Histories;

/// <summary>A daemon, a share with the tree's directories, and guests in user space.</summary>
internal sealed class HistoryBed : IDisposable
{
    /// <summary>Each user of each history has a seed of its own.</summary>
    private const int UsersMax = 1000;

    private readonly DirectoryInfo _work = Directory.CreateTempSubdirectory("coherency-history-");
    private readonly GuestServer _server;
    private readonly List<ITreeClient> _clients = [];

    public HistoryBed(HistorySettings settings)
    {
        DirectoryInfo shared = _work.CreateSubdirectory("shared");
        foreach (string directory in SharedTree.Directories)
        {
            shared.CreateSubdirectory(directory);
        }

        ShareConfiguration share = new()
        {
            SharedDir = shared.FullName,
            Cache = settings.Cache,
            TableDir = _work.FullName,
            Guests = [.. Enumerable.Range(0, settings.Guests).Select(guest => new GuestConfiguration { Name = $"{guest}", Socket = InWork($"{guest}.sock") })],
        };
        _server = new GuestServer(new ServeConfiguration { Shares = [share] }, NullLoggerFactory.Instance);
        _clients.AddRange(share.Guests.Select(guest => settings.Connect(VirtioFsGuest.Connect(guest.Socket), InWork($"{guest.Name}.table"))));
    }

    /// <summary>Lets all threads of all guests loose, until each has done its share.</summary>
    public History Work(HistorySettings settings)
    {
        SharedTree tree = new();
        int users = settings.Guests * settings.ThreadsPerGuest;
        RandomUser[] all = [.. Enumerable.Range(0, users).Select(user => CreateUser(tree, settings, user))];
        Task[] threads = [.. all.Select(user => Task.Factory.StartNew(
            () => user.Run(settings.Operations / users), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default))];
        Task.WaitAll(threads);
        return new History(all.SelectMany(user => user.Steps));
    }

    public void Dispose()
    {
        _clients.ForEach(client => client.Dispose());
        _server.Dispose();
        _work.Delete(recursive: true);
    }

    private RandomUser CreateUser(SharedTree tree, HistorySettings settings, int user)
    {
        int guest = user % settings.Guests;
        int thread = user / settings.Guests;
        return new RandomUser(tree, _clients[guest], $"{guest}.{thread}", (settings.Seed * UsersMax) + user);
    }

    private string InWork(string name) => Path.Combine(_work.FullName, name);
}
