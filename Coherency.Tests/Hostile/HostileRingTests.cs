using System.Runtime.InteropServices;
using Coherency.Core.Fuse.Abi;
using Coherency.Core.Linux;
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
            if (attack.StopsQueue)
            {
                Assert.True(SpinWait.SpinUntil(ring.Queue.Error.Drain, TimeSpan.FromSeconds(20)), "the front end was not told");
            }
            else
            {
                Assert.True(ring.WaitUsed(), "the chain never came back");
                Assert.False(ring.Queue.Error.Drain());
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

    /// <summary>VIRTIO 1.2, 2.7.5.3.2: a driver must not do so, a device must take it.</summary>
    [Fact]
    public unsafe void Buffers_may_be_followed_by_an_indirect_table()
    {
        using (VhostUserFrontend frontend = bed.Connect(Options))
        {
            frontend.Start();
            AttackedRing ring = new(frontend);
            ring.Put(0, ring.Readable(AttackedRing.Next, 1));
            ring.Put(1, RingAttacks.Table(ring, (uint)sizeof(vring_desc)));
            ring.PutIndirect(0, ring.Writable());
            ring.Offer(0);
            Assert.True(ring.WaitUsed(), "the chain never came back");
            Assert.Equal((uint)sizeof(fuse_out_header), ring.Queue.ReadUsed(0).len);
        }

        bed.WaitForCleanup();
    }

    /// <summary>
    /// A buffer may lie in memory that the VMM does not share: hot-plugged, say. To Linux an answer that never came is zeros, and
    /// success: a WRITE that was not carried out would look as if it had been.
    /// </summary>
    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public unsafe void A_request_with_a_buffer_that_is_nowhere_fails(int unreachable)
    {
        using (VhostUserFrontend frontend = bed.Connect(Options))
        {
            frontend.Start();
            AttackedRing ring = new(frontend);
            vring_desc[] chain =
            [
                ring.Readable(AttackedRing.Next, 1) with { len = (uint)sizeof(fuse_in_header) },
                ring.Readable(AttackedRing.Next, 2),
                ring.Writable(AttackedRing.Next, 3) with { len = (uint)sizeof(fuse_out_header) },
                ring.Writable(),
            ];
            chain[unreachable].addr = frontend.Memory.EndAddress;
            for (int i = 0; i < chain.Length; i++)
            {
                ring.Put(i, chain[i]);
            }

            ring.Offer(0);
            Assert.True(ring.WaitUsed(), "the chain never came back");
            fuse_out_header answer = MemoryMarshal.Read<fuse_out_header>(ring.Reply.Span);
            Assert.Equal((-(int)Errno.EIO, 1UL), (answer.error, answer.unique));
            Assert.Equal((uint)sizeof(fuse_out_header), answer.len);
            bed.ExpectHonestGuestWorks();
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
