using System.Diagnostics;
using System.Globalization;
using System.Text;
using Coherency.Core.Versioning;
using Coherency.Host.Coherence;
using Coherency.Host.Coherence.HostWatching;
using Coherency.Tests.Passthrough;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit.Abstractions;

namespace Coherency.Tests.Coherence;

/// <summary>
/// How long after a host program's change its slots move: from the return of its system call to the call of
/// <see cref="IHostChanges.Changed"/>. Prints what docs/version-table.md quotes; asserts only that nothing is badly wrong.
/// </summary>
[Trait("Category", "Root")]
[Collection(TimedTests.Name)]
public sealed class HostWatcherDelayTests(ITestOutputHelper output)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private const int Changes = 10_000;
    private const int CheckedOutFiles = 5_000;

    /// <summary>Of p99: a machine whose two cores do other things as well stays below.</summary>
    private static readonly TimeSpan Bound = TimeSpan.FromMilliseconds(500);

    /// <summary>Statements about the i-th file, and which slot of it they move. They follow one another.</summary>
    private static readonly (string Statement, Func<DelayRecorder, int, SlotKey> Slot)[] Kinds =
    [
        ("os.close(os.open(f'a{i}', os.O_CREAT|os.O_WRONLY))", (r, i) => r.Name($"a{i}")),
        ("write(f'a{i}', b'x')", (r, i) => r.Inode($"a{i}")),
        ("os.chmod(f'a{i}', 0o600)", (r, i) => r.Inode($"a{i}")),
        ("os.rename(f'a{i}', f'b{i}')", (r, i) => r.Name($"b{i}")),
        ("os.unlink(f'b{i}')", (r, i) => r.Name($"b{i}")),
    ];

    [Fact]
    public void On_an_idle_machine() => Measure();

    /// <summary>Another program switches between two versions of a tree, in the shared directory.</summary>
    [Fact]
    public void While_a_large_tree_is_checked_out() => Measure(underLoad: true);

    private void Measure(bool underLoad = false)
    {
        using TestShare share = new();
        using Checkouts? load = underLoad ? new Checkouts(share.Path("tree"), CheckedOutFiles) : null;
        using TestGuest guest = new(share.Share.OpenSession());
        DelayRecorder recorder = new(share.Share.RootKey, guest, Changes);
        using HostWatcher watcher = new(share.Share, recorder, NullLogger.Instance);
        using HostProgram host = new(share.Directory);
        Assert.Equal(WatchState.Fanotify, watcher.State);
        foreach ((string statement, Func<DelayRecorder, int, SlotKey> slot) in Kinds)
        {
            recorder.Expect(i => slot(recorder, i));
            // The pause lets the watcher fall asleep: its waking is what takes longest.
            host.Run("times = []");
            host.Run($"exec('''for i in range({Changes}):\\n {statement}; times.append(time.monotonic_ns()); time.sleep(0.0001)''')");
            string[] times = host.Run("answer = ' '.join(map(str, times))").Split(' ');
            host.Run("answer = ''");
            double[] delays = recorder.DelaysMicroseconds([.. times.Select(time => long.Parse(time, CultureInfo.InvariantCulture))]);
            output.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"{statement,-55} p50 {At(delays, 0.5),7:f0} us  p99 {At(delays, 0.99),7:f0} us  p99.9 {At(delays, 0.999),7:f0} us  max " +
                $"{delays[^1],7:f0} us"));
            Assert.True(At(delays, 0.99) < Bound.TotalMicroseconds);
        }

        Assert.Equal(0, recorder.Losses);
    }

    private static double At(double[] sorted, double quantile) => sorted[(int)Math.Ceiling(quantile * sorted.Length) - 1];

    /// <summary>Notes when each of the slots that it expects is told.</summary>
    private sealed class DelayRecorder(ulong rootKey, TestGuest guest, int count) : IHostChanges
    {
        private readonly long[] _toldAt = new long[count];
        private Dictionary<SlotKey, int> _expected = [];
        private int _told;

        public int Losses { get; private set; }

        public SlotKey Name(string name) => SlotKey.Name(rootKey, Encoding.UTF8.GetBytes(name));

        public SlotKey Inode(string name) => SlotKey.Inode(guest.Lookup(name).Node.Value);

        public void Expect(Func<int, SlotKey> slot)
        {
            Array.Clear(_toldAt);
            Volatile.Write(ref _told, 0);
            Volatile.Write(ref _expected, Enumerable.Range(0, count).ToDictionary(slot));
        }

        public void Changed(ReadOnlySpan<SlotKey> slots)
        {
            long now = Stopwatch.GetTimestamp();
            foreach (SlotKey slot in slots)
            {
                if (Volatile.Read(ref _expected).TryGetValue(slot, out int index) && _toldAt[index] == 0)
                {
                    _toldAt[index] = now;
                    Interlocked.Increment(ref _told);
                }
            }
        }

        public void Lost() => Losses++;

        /// <summary>In ascending order; 0 where a slot moved before the system call even returned.</summary>
        /// <param name="madeAt">CLOCK_MONOTONIC in nanoseconds, which is what Stopwatch counts.</param>
        public double[] DelaysMicroseconds(long[] madeAt)
        {
            Assert.True(SpinWait.SpinUntil(() => Volatile.Read(ref _told) == count, Patience), $"{_told} of {count} changes were told");
            return [.. madeAt.Zip(_toldAt, (made, told) => Math.Max(0, told - made) / 1000.0).Order()];
        }
    }

    /// <summary>A program that checks two versions of a tree out in turns, until it is disposed.</summary>
    private sealed class Checkouts : IDisposable
    {
        private const string Script = """
            set -e
            mkdir "$1"; cd "$1"; git init -q .
            commit() { git add . && git -c user.name=n -c user.email=e -c gc.auto=0 commit -q -m "$1" && git branch "$1"; }
            for v in one two; do
              for d in $(seq $(($2 / 100))); do mkdir -p d$d; for f in $(seq 100); do echo "$v $d $f" >d$d/f$f; done; done
              commit $v
            done
            echo ready
            while true; do git checkout -q one; git checkout -q two; done
            """;

        private readonly CompanionProcess _process;

        public Checkouts(string directory, int files)
        {
            _process = CompanionProcess.Start("bash", ["-c", Script, "bash", directory, $"{files}"]);
            _process.WaitUntil("ready", () => _process.Output.Contains("ready", StringComparison.Ordinal), Patience);
        }

        public void Dispose() => _process.Dispose();
    }
}
