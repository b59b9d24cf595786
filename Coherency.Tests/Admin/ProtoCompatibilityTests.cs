using Coherency.Admin.V1;
using Google.Protobuf.Reflection;

namespace Coherency.Tests.Admin;

/// <summary>The contract of the administration against protos/admin.v1.binpb, which eng/golden-protos wrote.</summary>
public sealed class ProtoCompatibilityTests
{
    private static readonly FileDescriptorSet Golden =
        FileDescriptorSet.Parser.ParseFrom(File.ReadAllBytes(Path.Combine(Repository.Root, "protos", "admin.v1.binpb")));

    private delegate void Change(FileDescriptorProto file);

    /// <summary>Each with what is said of it.</summary>
    private static readonly Dictionary<string, (Change Change, string? Expected)> Changes = new()
    {
        ["a field is removed"] = (file => Message(file, "Guest").Field.RemoveAt(0), "Guest.name is gone"),
        ["a field is renamed"] = (file => Message(file, "Guest").Field[0].Name = "title", "Guest.name is gone"),
        ["a field gets another number"] = (file => Message(file, "Guest").Field[0].Number = 99, "Guest.name was Optional String = 1"),
        ["a field gets another type"] = (
            file => Message(file, "Guest").Field[0].Type = FieldDescriptorProto.Types.Type.Bytes, "Guest.name was"),
        ["a field is repeated"] = (
            file => Message(file, "Guest").Field[0].Label = FieldDescriptorProto.Types.Label.Repeated, "Guest.name was"),
        ["a field leaves its oneof"] = (file => Message(file, "Actor").Field[0].ClearOneofIndex(), "Actor.guest was"),
        ["a field holds another message"] = (
            file => Message(file, "Actor").Field[1].TypeName = ".coherency.admin.v1.Guest", "Actor.host was"),
        ["a message is removed"] = (file => file.MessageType.Remove(Message(file, "HostProcess")), "HostProcess is gone"),
        ["a value of an enum is removed"] = (file => file.EnumType[0].Value.RemoveAt(1), "CacheMode.CACHE_MODE_NEVER is gone"),
        ["a value of an enum gets another number"] = (file => file.EnumType[0].Value[1].Number = 9, "CACHE_MODE_NEVER was 1 and is 9"),
        ["a method is removed"] = (file => file.Service[0].Method.RemoveAt(0), "Admin.ListShares is gone"),
        ["a method takes another message"] = (
            file => file.Service[0].Method[0].InputType = ".coherency.admin.v1.Guest", "Admin.ListShares was"),
        ["a method becomes a stream"] = (file => file.Service[0].Method[0].ServerStreaming = true, "Admin.ListShares was"),
        ["the package is renamed"] = (file => file.Package = "other", "is gone"),
        ["a field is added"] = (file => Message(file, "Guest").Field.Add(new FieldDescriptorProto { Name = "more", Number = 99 }), null),
        ["a method is added"] = (file => file.Service[0].Method.Add(new MethodDescriptorProto { Name = "More" }), null),
        ["a value is added"] = (file => file.EnumType[0].Value.Add(new EnumValueDescriptorProto { Name = "MORE", Number = 99 }), null),
        ["a message is added"] = (file => file.MessageType.Add(new DescriptorProto { Name = "More" }), null),
    };

    public static TheoryData<string> ChangeNames => [.. Changes.Keys];

    [Fact]
    public void The_contract_keeps_what_clients_were_built_against()
    {
        IEnumerable<FileDescriptorProto> before = Golden.File.Where(file => !file.Name.StartsWith("google/", StringComparison.Ordinal));
        string[] breaches = [.. ProtoRules.FindBreaches(before, [AdminReflection.Descriptor.ToProto()])];
        Assert.True(breaches.Length == 0, string.Join('\n', breaches));
    }

    [Fact]
    public void Every_file_of_the_contract_is_compared() => Assert.Equal(
        Directory.EnumerateFiles(Path.Combine(Repository.Root, "protos"), "*.proto", SearchOption.AllDirectories)
            .Select(file => Path.GetRelativePath(Path.Combine(Repository.Root, "protos"), file)).Order(),
        Golden.File.Select(file => file.Name).Where(name => !name.StartsWith("google/", StringComparison.Ordinal)).Order());

    [Theory]
    [MemberData(nameof(ChangeNames))]
    public void Only_additions_pass(string name)
    {
        (Change change, string? expected) = Changes[name];
        FileDescriptorProto before = AdminReflection.Descriptor.ToProto();
        FileDescriptorProto now = before.Clone();
        change(now);
        string[] breaches = [.. ProtoRules.FindBreaches([before], [now])];
        if (expected is null)
        {
            Assert.Empty(breaches);
        }
        else
        {
            Assert.Contains(breaches, breach => breach.Contains(expected, StringComparison.Ordinal));
        }
    }

    private static DescriptorProto Message(FileDescriptorProto file, string name) => file.MessageType.Single(type => type.Name == name);
}
