using System.Text;
using Coherency.Core.Fuse;
using Coherency.Core.Versioning;
using Coherency.Host.Coherence;
using Coherency.Host.Coherence.Changes;
using Coherency.Host.Coherence.Holdings;

namespace Coherency.Tests.Coherence.Holdings;

/// <summary>Random conversations are recorded as a simple model says, and nothing is left of them at the end.</summary>
public sealed unsafe class HeldModelTests
{
    private const int Steps = 600;
    private const int NodesMax = 12;

    [Fact]
    public void What_is_recorded_is_what_the_model_says()
    {
        for (int seed = 0; seed < 200; seed++)
        {
            using HeldModelRun run = new(seed);
            for (int step = 0; step < Steps; step++)
            {
                run.Step();
                if (step % 50 == 0)
                {
                    run.Compare(step);
                }
            }

            run.ForgetEverything();
        }
    }

    private sealed class HeldModelRun(int seed) : IDisposable
    {
        private readonly HeldFixture _fixture = new();
        private readonly HeldModel _model = new();
        private readonly Random _random = new(seed);

        public void Step()
        {
            (ulong parent, string name) = (Known(), Name());
            (ulong newParent, string newName) = (Known(), Name());
            ulong node = Known();
            HeldStart start = _fixture.Held.Start();
            byte[] bytes = Encoding.UTF8.GetBytes(name);
            switch (_random.Next(10))
            {
                case 0 or 1 or 2:
                    ulong child = ((ulong)_random.Next(2, NodesMax) * 1001) + 7;
                    _fixture.Give(parent, bytes, child, Core.Linux.StatFlags.S_IFDIR);
                    _model.Give(parent, name, child);
                    break;
                case 3:
                    _fixture.Held.GiveAbsent(_fixture, start, new NodeId(parent), bytes, TimeSpan.MaxValue);
                    _model.GiveAbsent(parent, name);
                    break;
                case 4:
                    _fixture.Held.GiveAttributes(_fixture, start, new NodeId(node), TimeSpan.MaxValue);
                    _model.GiveAttributes(node);
                    break;
                case 5:
                    _fixture.Held.GiveContent(_fixture, start, new NodeId(node));
                    _model.GiveContent(node);
                    break;
                case 6:
                    int count = _random.Next(1, 4);
                    _fixture.Held.Forget(_fixture, new NodeId(node), (ulong)count);
                    _model.Forget(node, count);
                    break;
                case 7:
                    _fixture.Held.Removed(_fixture, new NodeId(parent), bytes);
                    _model.Remove(parent, name);
                    break;
                case 8:
                    bool exchanges = _random.Next(2) == 0;
                    _fixture.Held.Renamed(
                        _fixture, start, new NodeId(parent), bytes, new NodeId(newParent), Encoding.UTF8.GetBytes(newName), exchanges);
                    _model.Rename(parent, name, newParent, newName, exchanges);
                    break;
                default:
                    Change(parent, name, node);
                    break;
            }
        }

        public void Compare(int step)
        {
            var found = _fixture.Findings().Select(one => (one.Kind, one.Node, Key: one.Key.Value, one.IsStale)).Order().ToList();
            var expected = _model.Findings().Order().ToList();
            Assert.True(
                expected.SequenceEqual(found),
                $"seed {seed}, step {step}:\n{string.Join('\n', expected)}\nfound\n{string.Join('\n', found)}");
            Assert.Equal(found.Count(one => one.IsStale), HoldingsQuery.CountStale(_fixture.Held));
        }

        public void ForgetEverything()
        {
            foreach (ulong node in _model.Nodes.ToList())
            {
                _fixture.Held.Forget(_fixture, new NodeId(node), ulong.MaxValue);
                _model.Forget(node, int.MaxValue);
            }

            Compare(Steps);
            // What is left to sweep goes with later requests.
            for (int i = 0; i < 100; i++)
            {
                _fixture.Held.Forget(_fixture, new NodeId(2), 1);
            }

            Assert.Equal(1, _fixture.Held.Counts.Nodes);
            Assert.Equal(_fixture.Held.Counts.AbsentNames, _fixture.Held.Counts.Names);
        }

        public void Dispose() => _fixture.Dispose();

        private void Change(ulong parent, string name, ulong node)
        {
            byte[] bytes = Encoding.UTF8.GetBytes(name + '\0');
            fixed (byte* pointer = bytes)
            {
                EntryName entry = new(pointer, bytes.Length - 1);
                _fixture.Change(null, TouchedObject.NameIn(HeldFixture.KeyOf(parent), entry), TouchedObject.Inode(HeldFixture.KeyOf(node)));
                _fixture.Change(_fixture.View, TouchedObject.Inode(HeldFixture.KeyOf(parent)));
            }

            _model.ChangeName(parent, name);
            _model.ChangeInode(node);
        }

        private ulong Known() => _model.Nodes.ElementAt(_random.Next(_model.Nodes.Count()));

        /// <summary>Of all lengths, so that bytes are given back and taken again.</summary>
        private string Name() => new((char)('a' + _random.Next(4)), 1 + (60 * _random.Next(5)));
    }
}
