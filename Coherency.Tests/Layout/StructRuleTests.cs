using Coherency.Core.Linux;

namespace Coherency.Tests.Layout;

/// <summary>Every native struct keeps to <see cref="StructRules"/>, but for exceptions with a reason.</summary>
public class StructRuleTests
{
    /// <summary>Structs of system calls that hold addresses and size_t: they never leave the process.</summary>
    private static readonly Type[] HoldAddresses = [typeof(IoVec), typeof(msghdr), typeof(cmsghdr), typeof(sigaction)];

    /// <summary>C has unnamed padding there too, and the kernel reads none of it.</summary>
    private static readonly Type[] PaddedByC = [typeof(flock), typeof(msghdr), typeof(xfs_fsop_geom_v1), typeof(sigaction)];

    public static TheoryData<Type> Structs => [.. NativeTypes.Structs];

    [Theory]
    [MemberData(nameof(Structs))]
    public void The_size_is_written_down(Type type) => Assert.Empty(StructRules.WrongSize(type));

    [Theory]
    [MemberData(nameof(Structs))]
    public void Fields_are_integers_of_fixed_width(Type type) =>
        Assert.Equal(HoldAddresses.Contains(type), StructRules.WrongFields(type).Any());

    [Theory]
    [MemberData(nameof(Structs))]
    public void Padding_has_a_name(Type type) => Assert.Equal(PaddedByC.Contains(type), StructRules.Padding(type).Any());
}
