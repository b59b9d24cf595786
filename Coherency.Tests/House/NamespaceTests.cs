using System.Reflection;
using System.Runtime.CompilerServices;

namespace Coherency.Tests.House;

/// <summary>
/// Namespaces of a project use each other in one direction, so that a reader can take one after the other; and the name of a type
/// means one thing in all projects.
/// </summary>
public sealed class NamespaceTests
{
    /// <summary>Messages of the administration's contract are named as in its proto.</summary>
    private const string Contract = "Coherency.Admin.V1";

    private static readonly Dictionary<string, Assembly> Products = new()
    {
        ["Core"] = typeof(Core.Linux.EventFd).Assembly,
        ["Host"] = typeof(Coherency.Host.Passthrough.PassthroughShare).Assembly,
        ["Guest"] = typeof(Coherency.Guest.VirtioFsGuest).Assembly,
        ["Daemon"] = typeof(Coherency.Daemon.Configuration.UsageException).Assembly,
        ["Keeper"] = typeof(Coherency.Keeper.KeeperProgram).Assembly,
        ["Bench"] = typeof(Coherency.Bench.Results.BenchResults).Assembly,
    };

    public static TheoryData<string> Names => [.. Products.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void No_two_namespaces_need_each_other(string project)
    {
        IReadOnlyList<NamespaceUse> uses = NamespaceGraph.Of(Products[project]);
        Assert.NotEmpty(uses);
        Assert.Empty(NamespaceGraph.Cycles(uses));
    }

    [Fact]
    public void Uses_in_signatures_and_in_bodies_are_seen()
    {
        (string, string)[] uses = [.. NamespaceGraph.Of(Products["Guest"]).Select(use => (use.From, use.To))];
        Assert.Contains(("Coherency.Guest.Coherence", "Coherency.Guest.Fuse"), uses);
        Assert.Contains(("Coherency.Guest", "Coherency.Guest.VhostUser"), uses);
    }

    [Fact]
    public void A_cycle_is_found_and_what_leads_to_it_or_away_is_not()
    {
        NamespaceUse[] uses = [new("Way", "A", "w"), new("A", "B", "x"), new("B", "C", "y"), new("C", "A", "z"), new("C", "Out", "o")];
        Assert.Equal(["A -> B (x)", "B -> C (y)", "C -> A (z)"], NamespaceGraph.Cycles(uses));
    }

    [Fact]
    public void A_name_is_one_types()
    {
        string[] shared =
        [
            .. from assembly in Products.Values.Concat([typeof(NamespaceTests).Assembly, typeof(Coherency.Fuzz.FuzzTarget).Assembly])
               from type in assembly.GetTypes()
               where !type.IsNested && type.Namespace != Contract
                   && type.Namespace?.StartsWith("Coherency", StringComparison.Ordinal) == true
               where type.GetCustomAttribute<CompilerGeneratedAttribute>() is null
               group type.FullName by type.Name into sharing
               where sharing.Count() > 1
               select string.Join(" and ", sharing),
        ];
        Assert.Empty(shared);
    }
}
