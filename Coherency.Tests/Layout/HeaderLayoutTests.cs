namespace Coherency.Tests.Layout;

/// <summary>
/// C# agrees with the headers installed on this machine, by assertions that gcc compiles. What the table says a later
/// version of the protocol brought in must be unknown to an older header, and known to a newer one.
/// </summary>
public class HeaderLayoutTests
{
    [Fact]
    public void Structs_agree_with_the_installed_headers()
    {
        Dictionary<string, Type> types = NativeTypes.Structs.ToDictionary(type => type.Name);
        HeaderAssertion[] assertions =
            [.. HeaderAssertions.About(GoldenTable.Headers, entry => new MeasuredStruct(types[entry.ClrName]))];
        AssertExactlyNewerOnesAreRejected(assertions);
    }

    [Fact]
    public void Flags_and_codes_agree_with_the_installed_headers()
    {
        Dictionary<(string, string), long> values = (
            from type in NativeTypes.ConstantSets
            from constant in NativeTypes.ConstantsOf(type)
            select ((type.Name, constant.Name), constant.Value)).ToDictionary();
        AssertExactlyNewerOnesAreRejected([
            .. from entry in GoldenTable.Headers.Constants
               let value = values[(entry.ClrType, entry.ClrName)]
               select HeaderAssertions.AboutConstant($"{entry.ClrType}.{entry.ClrName}", entry.CExpression, value, entry.Since)]);
    }

    [Fact]
    public void Constants_with_the_names_of_C_have_the_values_of_C()
    {
        HeaderAssertion[] assertions = [
            .. from type in NativeTypes.ConstantSets
               where CarriesNamesOfC(type, GoldenTable.Headers.Constants)
               from constant in NativeTypes.ConstantsOf(type)
               where constant.Name != nameof(Core.Linux.OpenFlags.O_LARGEFILE)
               select HeaderAssertions.AboutConstant(constant.Name, constant.Name, constant.Value)];
        Assert.NotEmpty(assertions);
        Assert.Empty(HeaderAssertions.Rejected(assertions));
    }

    /// <summary>libc hides this flag behind a 0, for it sets it itself; a guest's open flags come from its kernel.</summary>
    [Fact]
    public void O_LARGEFILE_is_the_kernels()
    {
        HeaderAssertion assertion = HeaderAssertions.AboutConstant("O_LARGEFILE", "O_LARGEFILE", Core.Linux.OpenFlags.O_LARGEFILE);
        Assert.Empty(HeaderAssertions.Rejected([assertion], include: "<asm/fcntl.h>"));
    }

    /// <summary>The interop wall spells its constants as C does, unless a table says what they are called there.</summary>
    internal static bool CarriesNamesOfC(Type type, IReadOnlyList<GoldenConstant> golden) =>
        (NativeTypes.IsOfLinux(type) || type == typeof(Core.Virtio.Abi.VringFlags)) && !golden.Any(entry => entry.ClrType == type.Name);

    private static void AssertExactlyNewerOnesAreRejected(HeaderAssertion[] assertions)
    {
        FuseVersion installed = HeaderAssertions.InstalledFuseVersion();
        Assert.NotEmpty(assertions);
        Assert.Equal(
            assertions.Where(assertion => assertion.Since?.IsAfter(installed) ?? false).Select(assertion => assertion.Name).Order(),
            HeaderAssertions.Rejected(assertions).Order());
    }
}
