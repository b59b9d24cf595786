using Coherency.Core.Virtio;
using Coherency.Guest.Virtio;

namespace Coherency.Tests.Guest;

public sealed class VirtqueueDriverTests : IDisposable
{
    private const VirtioFeatures Both = VirtioFeatures.EventIdx | VirtioFeatures.IndirectDesc;

    private readonly GuestRam _memory = GuestRam.Create(1 << 20);
    private readonly List<RawVirtqueue> _rings = [];

    public void Dispose()
    {
        _rings.ForEach(ring => ring.Dispose());
        _memory.Dispose();
    }

    [Theory]
    [InlineData(VirtioFeatures.None)]
    [InlineData(VirtioFeatures.EventIdx)]
    [InlineData(VirtioFeatures.IndirectDesc)]
    [InlineData(Both)]
    public void Rings_wrap_around_65536_and_lose_nothing(VirtioFeatures features)
    {
        (VirtqueueDriver driver, FakeDevice device, _) = Make(size: 8, features, startIndex: 65_000);
        GuestBuffer request = _memory.Allocate(4);
        GuestBuffer reply = _memory.Allocate(4);
        GuestBuffer table = _memory.Allocate(64);
        ChainSegment[] chain = [new(request.Address, 2, false), new(request.Address + 2, 2, false), new(reply.Address, 4, true)];
        for (int i = 0; i < 70_000; i++)
        {
            BitConverter.TryWriteBytes(request.Span, i);
            Assert.True(driver.TryAdd(chain, (ushort)i, table));
            driver.Publish();
            device.Serve();
            Assert.True(driver.TryTakeUsed(out UsedChain used));
            Assert.Equal(new UsedChain((ushort)i, 4), used);
            Assert.Equal(i, BitConverter.ToInt32([.. reply.Span.ToArray().Reverse()]));
        }

        Assert.False(driver.HasUsed);
        Assert.Equal(8, driver.FreeDescriptors);
    }

    [Fact]
    public void Chains_come_back_in_any_order()
    {
        (VirtqueueDriver driver, FakeDevice device, _) = Make(size: 16, VirtioFeatures.None);
        Random random = new(1);
        ushort next = 0;
        HashSet<ushort> inFlight = [];
        for (int round = 0; round < 2_000; round++)
        {
            while (driver.TryAdd(Chain(1 + random.Next(4)), next))
            {
                inFlight.Add(next++);
            }

            driver.Publish();
            device.Take();
            device.Answer(random.Next(device.Taken.Count));
            Assert.True(driver.TryTakeUsed(out UsedChain used));
            Assert.True(inFlight.Remove(used.Token));
        }
    }

    [Fact]
    public void An_indirect_chain_takes_one_descriptor_however_long()
    {
        (VirtqueueDriver driver, _, _) = Make(size: 4, VirtioFeatures.IndirectDesc);
        Assert.True(driver.TryAdd(Chain(100), 0, _memory.Allocate(100 * 16)));
        Assert.Equal(3, driver.FreeDescriptors);
    }

    [Fact]
    public void A_full_ring_takes_no_more_and_an_impossible_chain_is_a_mistake()
    {
        (VirtqueueDriver driver, FakeDevice device, _) = Make(size: 4, VirtioFeatures.None);
        Assert.True(driver.TryAdd(Chain(3), 0));
        Assert.False(driver.TryAdd(Chain(2), 1));
        Assert.True(driver.TryAdd(Chain(1), 2));
        driver.Publish();
        device.Serve();
        Assert.True(driver.TryTakeUsed(out _));
        Assert.True(driver.TryAdd(Chain(2), 3));
        Assert.Throws<ArgumentException>(() => driver.TryAdd(Chain(5), 4));
        Assert.Throws<ArgumentException>(() => driver.TryAdd([], 4));
    }

    [Theory]
    [InlineData(99u)]
    [InlineData(uint.MaxValue)]
    [InlineData(1u)]
    public void A_device_that_returns_what_it_was_not_given_is_found_out(uint id)
    {
        (VirtqueueDriver driver, FakeDevice device, _) = Make(size: 8, VirtioFeatures.None);
        Assert.True(driver.TryAdd(Chain(2), 0));
        driver.Publish();
        device.Return(id, 0);
        Assert.Throws<DeviceFaultException>(() => driver.TryTakeUsed(out _));
    }

    [Fact]
    public void A_chain_cannot_be_returned_twice()
    {
        (VirtqueueDriver driver, FakeDevice device, _) = Make(size: 8, VirtioFeatures.None);
        Assert.True(driver.TryAdd(Chain(1), 0));
        driver.Publish();
        device.Return(0, 0);
        device.Return(0, 0);
        Assert.True(driver.TryTakeUsed(out _));
        Assert.Throws<DeviceFaultException>(() => driver.TryTakeUsed(out _));
    }

    [Fact]
    public void With_event_index_the_device_is_kicked_only_where_it_asked()
    {
        (VirtqueueDriver driver, FakeDevice device, _) = Make(size: 8, VirtioFeatures.EventIdx, startIndex: 65_534);
        device.AskForKickAt(1);
        Assert.Equal([false, false, false, true, false], Enumerable.Range(0, 5).Select(_ => AddAndPublish(driver)));
        Assert.False(driver.Publish());
    }

    [Fact]
    public void Chains_published_together_need_one_kick()
    {
        (VirtqueueDriver driver, FakeDevice device, _) = Make(size: 8, VirtioFeatures.EventIdx);
        device.AskForKickAt(2);
        for (ushort i = 0; i < 5; i++)
        {
            Assert.True(driver.TryAdd(Chain(1), i));
        }

        device.Take();
        Assert.Empty(device.Taken);
        Assert.True(driver.Publish());
        device.Take();
        Assert.Equal(5, device.Taken.Count);
    }

    [Fact]
    public void Without_event_index_the_flag_decides()
    {
        (VirtqueueDriver driver, FakeDevice device, _) = Make(size: 8, VirtioFeatures.None);
        Assert.True(AddAndPublish(driver));
        device.WantNoKicks(true);
        Assert.False(AddAndPublish(driver));
    }

    [Fact]
    public void Nobody_goes_to_sleep_on_a_chain_that_is_back()
    {
        (VirtqueueDriver driver, FakeDevice device, _) = Make(size: 8, VirtioFeatures.EventIdx, startIndex: 65_535);
        Assert.True(driver.ArmInterrupt());
        Assert.Equal(65_535, device.UsedEvent);
        AddAndPublish(driver);
        device.Serve();
        Assert.False(driver.ArmInterrupt());
        Assert.True(driver.TryTakeUsed(out _));
        Assert.True(driver.ArmInterrupt());
        Assert.Equal(0, device.UsedEvent);
    }

    /// <summary>The rule, spelled out: stepping from old to now, was the step that leaves the event index among them?</summary>
    [Theory]
    [InlineData(0, 0)]
    [InlineData(0, 1)]
    [InlineData(10, 14)]
    [InlineData(65_535, 0)]
    [InlineData(65_530, 5)]
    [InlineData(0, 32_768)]
    [InlineData(40_000, 39_999)]
    public void Passing_an_event_means_stepping_over_it(int old, int now)
    {
        HashSet<int> passed = [];
        for (int index = old; index != now; index = (index + 1) & 0xFFFF)
        {
            passed.Add(index);
        }

        for (int eventIndex = 0; eventIndex <= 0xFFFF; eventIndex++)
        {
            Assert.Equal(passed.Contains(eventIndex), VirtqueueDriver.PassedEvent((ushort)eventIndex, (ushort)now, (ushort)old));
        }
    }

    private bool AddAndPublish(VirtqueueDriver driver) => driver.TryAdd(Chain(1), 0) && driver.Publish();

    private ChainSegment[] Chain(int length) =>
        [.. Enumerable.Range(0, length).Select(_ => new ChainSegment(GuestRam.BaseAddress, 0, DeviceWrites: false))];

    private (VirtqueueDriver Driver, FakeDevice Device, RawVirtqueue Ring) Make(int size, VirtioFeatures features, ushort startIndex = 0)
    {
        RawVirtqueue ring = new(_memory, size);
        _rings.Add(ring);
        ring.Reset(startIndex);
        return (new VirtqueueDriver(ring, features, startIndex), new FakeDevice(_memory, ring, startIndex), ring);
    }
}
