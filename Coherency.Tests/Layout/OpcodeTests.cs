using Coherency.Core.Fuse;

namespace Coherency.Tests.Layout;

/// <summary>An opcode from the wire becomes a <see cref="FuseOpcode"/> only if the protocol defines it.</summary>
public class OpcodeTests
{
    [Fact]
    public void Every_opcode_is_parsed()
    {
        foreach (FuseOpcode expected in Enum.GetValues<FuseOpcode>())
        {
            Assert.True(FuseOpcodes.TryParse((uint)expected, out FuseOpcode opcode), $"{expected}");
            Assert.Equal(expected, opcode);
        }
    }

    [Theory]
    [InlineData(1u)]
    [InlineData(53u)]
    public void The_first_and_the_last_number_are_opcodes(uint value) => Assert.True(FuseOpcodes.TryParse(value, out _));

    [Theory]
    [InlineData(0u)]
    [InlineData(7u)]
    [InlineData(19u)]
    [InlineData(54u)]
    [InlineData(4096u)]
    [InlineData(0x1A000000u)]
    [InlineData(uint.MaxValue)]
    public void Holes_and_numbers_past_the_end_are_rejected(uint value) => Assert.False(FuseOpcodes.TryParse(value, out _));

    [Fact]
    public void No_number_without_a_name_is_parsed()
    {
        for (uint value = 0; value <= ushort.MaxValue; value++)
        {
            Assert.Equal(Enum.IsDefined((FuseOpcode)value), FuseOpcodes.TryParse(value, out _));
        }
    }
}
