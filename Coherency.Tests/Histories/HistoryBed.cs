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
    private readonly HistorySettings _settings;
    private readonly ShareConfiguration _share;
    private readonly List<ITreeClient> _clients = [];

    public HistoryBed(HistorySettings settings)
    {
        DirectoryInfo shared = _work.CreateSubdirectory("shared");
        foreach (string directory in SharedTree.Directories.Concat(SharedTree.YardNames))
        {
            shared.CreateSubdirectory(directory);
        }

        _settings = settings;
        _share = new ShareConfiguration
        {
            SharedDir = shared.FullName,
            Cache = settings.Cache,
            TableDir = _work.FullName,
            Guests = [.. Enumerable.Range(0, settings.Guests)
                .Select(guest => new GuestConfiguration { Name = $"{guest}", Socket = InWork($"{guest}.sock") })],
        };
        _server = new GuestServer(new ServeConfiguration { Shares = [_share] }, NullLoggerFactory.Instance);
    }

    public void ConnectGuests()
    {
        foreach (GuestConfiguration guest in _share.Guests)
        {
            _clients.Add(_settings.Connect(VirtioFsGuest.Connect(guest.Socket), InWork($"{guest.Name}.table")));
        }
    }

    /// <summary>Lets all threads of all guests loose, until each has done its share.</summary>
    public History Work()
    {
        SharedTree tree = new();
        RandomUser[] users = [.. Enumerable.Range(0, _settings.Users).Select(user => CreateUser(tree, user))];
        Task[] threads = [.. users.Select(user => Task.Factory.StartNew(
            () => user.Run(_settings.OperationsPerUser), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default))];
        Task.WaitAll(threads);
        return new History(users.SelectMany(user => user.Steps));
    }

    public void Dispose()
    {
        _clients.ForEach(client => client.Dispose());
        _server.Dispose();
        _work.Delete(recursive: true);
    }

    private RandomUser CreateUser(SharedTree tree, int user)
    {
        int guest = user % _settings.Guests;
        int thread = user / _settings.Guests;
        return new RandomUser(tree, _clients[guest], $"{guest}.{thread}", (_settings.Seed * UsersMax) + user);
    }

    private string InWork(string name) => Path.Combine(_work.FullName, name);
}
