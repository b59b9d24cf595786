using Google.Protobuf.Reflection;

namespace Coherency.Tests.Admin;

/// <summary>
/// What may not change in a contract, because clients were built against it: every service, method, message, field, enum and value
/// stays, with its number and type. Additions are free.
/// </summary>
internal static class ProtoRules
{
    /// <summary>One sentence for each thing that clients of <paramref name="before"/> would miss.</summary>
    public static IEnumerable<string> FindBreaches(IEnumerable<FileDescriptorProto> before, IEnumerable<FileDescriptorProto> now)
    {
        Dictionary<string, string> present = now.SelectMany(Describe).ToDictionary(fact => fact.Name, fact => fact.Value);
        return
            from fact in before.SelectMany(Describe)
            where present.GetValueOrDefault(fact.Name) != fact.Value
            select present.TryGetValue(fact.Name, out string? other)
                ? $"{fact.Name} was {fact.Value} and is {other}: give the new thing a new name and number, and leave this one"
                : $"{fact.Name} is gone: leave it, and say that it is not used any more";
    }

    /// <summary>What clients rely on: names, each with all that matters of it.</summary>
    private static IEnumerable<(string Name, string Value)> Describe(FileDescriptorProto file) =>
    [
        .. file.Service.SelectMany(service => Describe(service, file.Package)),
        .. file.EnumType.SelectMany(type => Describe(type, file.Package)),
        .. file.MessageType.SelectMany(type => Describe(type, file.Package)),
    ];

    private static IEnumerable<(string Name, string Value)> Describe(ServiceDescriptorProto service, string scope) =>
        from method in service.Method
        select ($"{scope}.{service.Name}.{method.Name}",
            $"({Stream(method.ClientStreaming)}{method.InputType}) returns ({Stream(method.ServerStreaming)}{method.OutputType})");

    private static IEnumerable<(string Name, string Value)> Describe(EnumDescriptorProto type, string scope) =>
        from value in type.Value
        select ($"{scope}.{type.Name}.{value.Name}", $"{value.Number}");

    private static IEnumerable<(string Name, string Value)> Describe(DescriptorProto type, string scope)
    {
        string name = $"{scope}.{type.Name}";
        return
        [
            (name, "a message"),
            .. type.Field.Select(field => ($"{name}.{field.Name}", Describe(field, type))),
            .. type.EnumType.SelectMany(inner => Describe(inner, name)),
            .. type.NestedType.SelectMany(inner => Describe(inner, name)),
        ];
    }

    private static string Describe(FieldDescriptorProto field, DescriptorProto type)
    {
        string oneof = field.HasOneofIndex ? $" of {type.OneofDecl[field.OneofIndex].Name}" : "";
        return $"{field.Label} {field.Type}{field.TypeName} = {field.Number}{oneof}";
    }

    private static string Stream(bool isStream) => isStream ? "stream " : "";
}
