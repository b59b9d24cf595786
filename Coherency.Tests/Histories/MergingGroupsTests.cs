using Coherency.Core.Fuse;
using Coherency.Daemon.Configuration;
using Coherency.Daemon.Hosting;
using Coherency.Guest;
using Coherency.Tests.Linearizability;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit.Abstractions;

namespace Coherency.Tests.Histories;

/// <summary>
/// Guests of two shares that have nothing in common work, and a share is added that reaches the files of both: the groups of the two
/// become one. What the guests of all three see must be linearizable, from before to after.
/// </summary>
[Collection(TimedTests.Name)]
public sealed class MergingGroupsTests(ITestOutputHelper output)
{
    private const int OperationsOfLateGuest = 400;
    private const int MergesOfControlMax = 100;

    [Fact]
    public void Groups_that_become_one_while_guests_work_show_nobody_what_is_stale()
    {
        int steps = 0;
        int merges = Soak.Count(30, 300);
        for (int merge = 0; merge < merges; merge++)
        {
            using MergingBed bed = new(merge);
            History history = bed.Work(asOne: true);
            IReadOnlyList<Violation> violations = history.FindViolations();
            Assert.True(violations.Count == 0, $"merge {merge}:\n{string.Concat(violations.Take(3))}");
            bed.CheckEverything();
            steps += bed.Operations;
        }

        output.WriteLine($"{merges} merges, {steps} operations");
    }

    /// <summary>
    /// The control: another daemon serves what is added, which learns of changes as of those of any program, after the fact.
    /// </summary>
    [Fact]
    public void Shares_of_the_same_files_that_do_not_become_one_group_are_found_out()
    {
        for (int merge = 0; merge < MergesOfControlMax; merge++)
        {
            using MergingBed bed = new(merge);
            if (bed.IsFoundOut())
            {
                return;
            }
        }

        Assert.Fail("nothing was seen to be stale");
    }

    private sealed class MergingBed : IDisposable
    {
        private const int ThreadsPerGuest = 2;

        private readonly DirectoryInfo _work = Directory.CreateTempSubdirectory("coherency-merging-");
        private readonly SharedTree _tree = new();
        private readonly List<ITreeClient> _clients = [];
        private readonly List<RandomUser> _users = [];
        private readonly int _seed;
        private readonly string _shared;
        private readonly GuestServer _server;
        private GuestServer? _other;

        public MergingBed(int seed)
        {
            _seed = seed;
            _shared = _work.CreateSubdirectory("shared").FullName;
            foreach (string directory in SharedTree.Directories.Concat(SharedTree.YardNames))
            {
                Directory.CreateDirectory(Path.Combine(_shared, directory));
            }

            _server = new GuestServer(
                new ServeConfiguration { Shares = [.. SharedTree.Directories.Select(part => Share(Path.Combine(_shared, part), part))] },
                NullLoggerFactory.Instance);
            Assert.NotSame(_server.Shares[0].Group, _server.Shares[1].Group);
            foreach (string part in SharedTree.Directories)
            {
                AddUsers(new PartClient(Connect(part), part), part);
            }
        }

        public int Operations => _users.Sum(user => user.Steps.Count);

        /// <param name="asOne">The same daemon serves what is added.</param>
        public History Work(bool asOne)
        {
            using CancellationTokenSource end = new();
            RandomUser[] early = [.. _users];
            Task[] working = [.. early.Select(user => Start(() => user.RunUntil(end.Token)))];
            try
            {
                Assert.True(SpinWait.SpinUntil(() => early.All(user => user.Steps.Count > 20) || working.Any(t => t.IsFaulted), 60_000));
                ShareConfiguration whole = Share(_shared, "whole");
                if (asOne)
                {
                    _server.Add(whole);
                    Assert.Single(_server.Shares.Select(share => share.Group).Distinct());
                }
                else
                {
                    _other = new GuestServer(new ServeConfiguration { Shares = [whole] }, NullLoggerFactory.Instance);
                }

                AddUsers(Connect("whole"), "whole");
                Task.WaitAll([.. _users.Except(early).Select(user => Start(() => user.Run(OperationsOfLateGuest)))]);
            }
            finally
            {
                end.Cancel();
                Task.WaitAll(working);
            }

            return new History(_users.SelectMany(user => user.Steps));
        }

        /// <summary>Something was stale, or refused for a reason that no order explains.</summary>
        public bool IsFoundOut()
        {
            try
            {
                return Work(asOne: false).FindViolations().Count > 0;
            }
            catch (AggregateException refused) when (refused.InnerException is InvalidOperationException)
            {
                return true;
            }
        }

        /// <summary>What each guest believes at last is so.</summary>
        public void CheckEverything()
        {
            for (int part = 0; part < SharedTree.Directories.Count; part++)
            {
                string[] there = [.. Directory.GetFileSystemEntries(Path.Combine(_shared, SharedTree.Directories[part]))
                    .Select(entry => Path.GetFileName(entry)).Order(StringComparer.Ordinal)];
                ITreeClient whole = _clients[^1];
                foreach ((ITreeClient client, NodeId directory) in (ReadOnlySpan<(ITreeClient, NodeId)>)[
                    (_clients[part], NodeId.Root), (whole, whole.Lookup(NodeId.Root, SharedTree.Directories[part])!.Value)])
                {
                    Assert.Equal(there, client.List(directory).Where(name => name is not "." and not "..").Order(StringComparer.Ordinal));
                    foreach (string name in _tree.Pairs.SelectMany(pair => (SharedName[])[pair.First, pair.Second])
                        .Where(name => name.Directory == part).Select(name => name.Name))
                    {
                        Assert.Equal(there.Contains(name), client.Lookup(directory, name) is not null);
                    }
                }
            }
        }

        public void Dispose()
        {
            _clients.ForEach(client => client.Dispose());
            _other?.Dispose();
            _server.Dispose();
            _work.Delete(recursive: true);
        }

        private static Task Start(Action work) =>
            Task.Factory.StartNew(work, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

        private void AddUsers(ITreeClient client, string name)
        {
            _clients.Add(client);
            for (int thread = 0; thread < ThreadsPerGuest; thread++)
            {
                _users.Add(new RandomUser(_tree, client, $"{name}.{thread}", (_seed * 100) + _users.Count));
            }
        }

        private CoherentClient Connect(string name) => new(VirtioFsGuest.Connect(InWork($"{name}.sock")), InWork($"{name}.sock.table"));

        private ShareConfiguration Share(string directory, string guest) => new()
        {
            SharedDir = directory,
            Guests = [new GuestConfiguration { Name = guest, Socket = InWork($"{guest}.sock") }],
        };

        private string InWork(string name) => Path.Combine(_work.FullName, name);
    }
}
