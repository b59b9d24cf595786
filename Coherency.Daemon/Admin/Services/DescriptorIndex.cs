using Google.Protobuf.Reflection;

namespace Coherency.Daemon.Admin.Services;

/// <summary>Finds descriptors by name.</summary>
internal sealed class DescriptorIndex
{
    private readonly Dictionary<string, FileDescriptor> _files = [];
    private readonly Dictionary<string, FileDescriptor> _symbols = [];

    /// <param name="roots">With all that they import.</param>
    public DescriptorIndex(IReadOnlyList<FileDescriptor> roots)
    {
        Services = [.. roots.SelectMany(file => file.Services).Select(service => service.FullName)];
        foreach (FileDescriptor file in roots.SelectMany(WithImports).Distinct())
        {
            _files[file.Name] = file;
            foreach (IDescriptor symbol in SymbolsOf(file))
            {
                _symbols[symbol.FullName] = file;
            }
        }
    }

    /// <summary>With their packages.</summary>
    public IReadOnlyList<string> Services { get; }

    public FileDescriptor? FindFile(string name) => _files.GetValueOrDefault(name);

    public FileDescriptor? FindSymbol(string fullName) => _symbols.GetValueOrDefault(fullName);

    /// <summary>A file, then all that it imports, directly or not.</summary>
    public static IEnumerable<FileDescriptor> WithImports(FileDescriptor file) =>
        file.Dependencies.SelectMany(WithImports).Prepend(file).Distinct();

    private static IEnumerable<IDescriptor> SymbolsOf(FileDescriptor file) =>
    [
        .. file.Services.SelectMany(service => service.Methods.Prepend<IDescriptor>(service)),
        .. file.EnumTypes.SelectMany(SymbolsOf),
        .. file.MessageTypes.SelectMany(SymbolsOf),
    ];

    private static IEnumerable<IDescriptor> SymbolsOf(EnumDescriptor type) => type.Values.Prepend<IDescriptor>(type);

    private static IEnumerable<IDescriptor> SymbolsOf(MessageDescriptor type) =>
    [
        type,
        .. type.Fields.InDeclarationOrder(),
        .. type.Oneofs,
        .. type.EnumTypes.SelectMany(SymbolsOf),
        .. type.NestedTypes.SelectMany(SymbolsOf),
    ];
}
