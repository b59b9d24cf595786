namespace Coherency.Tests.Layout;

/// <summary>C# has the layouts and numbers of the committed tables: complete on both sides, every field of every struct.</summary>
public class GoldenLayoutTests
{
    [Fact]
    public void Every_struct_has_the_golden_layout() =>
        Assert.Empty(LayoutChecker.CheckStructs(NativeTypes.Structs, [.. GoldenTable.Headers.Structs, .. GoldenTable.VhostUser.Structs]));

    [Fact]
    public void Every_constant_has_the_golden_value()
    {
        GoldenConstant[] golden = [.. GoldenTable.Headers.Constants, .. GoldenTable.VhostUser.Constants];
        Assert.Empty(LayoutChecker.CheckConstants([.. NativeTypes.ConstantSets.Where(type => !CarriesNamesOfC(type, golden))], golden));
    }

    [Fact]
    public void There_is_something_to_check()
    {
        Assert.True(NativeTypes.Structs.Count >= 80, $"only {NativeTypes.Structs.Count} structs were found");
        Assert.True(NativeTypes.ConstantSets.Count >= 30, $"only {NativeTypes.ConstantSets.Count} sets of constants were found");
    }

    /// <summary>Such constants need no table: gcc compares them by their name (<see cref="HeaderLayoutTests"/>).</summary>
    private static bool CarriesNamesOfC(Type type, GoldenConstant[] golden) => HeaderLayoutTests.CarriesNamesOfC(type, golden);
}
