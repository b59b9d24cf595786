using Coherency.Core.Fuse.Abi;
using Coherency.Core.Virtio.Abi;
using Coherency.Guest.VhostUser;
using Xunit;

namespace Coherency.Tests.Hostile;

/// <summary>A guest whose driver breaks its ring: it gets nothing, the log says why, nobody else notices.</summary>
public sealed class HostileRingTests(HostileTestBed bed) : IClassFixture<HostileTestBed>
{
    private static readonly FrontendOptions Options = new() { QueueSize = 64, MemoryBytes = 1 << 20, MemoryRegions = 2 };

    public static TheoryData<string> AttackNames => [.. RingAttacks.All.Select(attack => attack.Name)];

    [Theory]
    [MemberData(nameof(AttackNames))]
    public void An_attack_is_named_in_the_log_and_harms_nobody(string name)
    {
        RingAttack attack = RingAttacks.All.Single(a => a.Name == name);
        bed.Log.Clear();
        using (VhostUserFrontend frontend = bed.Connect(Options))
        {
            frontend.Start();
            AttackedRing ring = new(frontend);
            attack.Run(ring);
            bed.ExpectLogged(attack.Logged);
            if (!attack.StopsQueue)
            {
                Assert.True(ring.WaitUsed(), "the chain never came back");
            }

            bed.ExpectHonestGuestWorks();
        }

        bed.WaitForCleanup();
    }

    [Fact]
    public unsafe void A_queue_goes_on_after_a_bad_chain()
    {
        bed.Log.Clear();
        using (VhostUserFrontend frontend = bed.Connect(Options))
        {
            frontend.Start();
            AttackedRing ring = new(frontend);
            ring.Put(0, ring.Readable(AttackedRing.Next, 0));
            ring.Offer(0);
            ring.Put(1, ring.Readable(AttackedRing.Next, 2));
            ring.Put(2, ring.Writable());
            ring.Offer(1);
            Assert.True(ring.WaitUsed(), "the good chain never came back");
            Assert.Equal((uint)sizeof(fuse_out_header), ring.Queue.ReadUsed(1).len);
        }

        bed.WaitForCleanup();
    }

    /// <summary>Descriptors change all the time while the daemon walks them: whatever it sees, it stays within bounds.</summary>
    [Fact]
    public void Descriptors_that_change_while_they_are_read_harm_nobody()
    {
        bed.Log.Clear();
        using (VhostUserFrontend frontend = bed.Connect(Options))
        {
            frontend.Start();
            AttackedRing ring = new(frontend);
            bool done = false;
            Thread scribbler = new(() =>
            {
                Random random = new(1);
                while (!Volatile.Read(ref done))
                {
                    ring.Put(random.Next(4), RandomDescriptor(random, ring));
                }
            });
            scribbler.Start();
            for (int i = 0; i < 20_000; i++)
            {
                ring.Offer((ushort)(i % 4));
                Assert.True(ring.WaitUsed(), $"chain {i} never came back");
            }

            Volatile.Write(ref done, true);
            scribbler.Join();
            bed.ExpectHonestGuestWorks();
        }

        bed.WaitForCleanup();
    }

    private static vring_desc RandomDescriptor(Random random, AttackedRing ring)
    {
        vring_desc descriptor = random.Next(2) == 0 ? ring.Readable() : ring.Writable();
        descriptor.flags |= (ushort)random.Next(8);
        descriptor.next = (ushort)random.Next(6);
        descriptor.len = random.Next(4) == 0 ? (uint)random.Next() : descriptor.len;
        descriptor.addr = random.Next(4) == 0 ? (ulong)random.NextInt64() : descriptor.addr;
        return descriptor;
    }
}
